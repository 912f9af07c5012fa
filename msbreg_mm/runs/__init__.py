"""What a run is: its config, schedule, identity, data, folder, log and record."""
