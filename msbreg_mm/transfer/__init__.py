"""The transfer suite: tasks × checkpoints × seeds to one honest table."""
