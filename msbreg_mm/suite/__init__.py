"""Running a suite: tasks × checkpoints × seeds as resumable jobs."""
