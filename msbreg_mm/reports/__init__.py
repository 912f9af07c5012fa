"""Tables, statistics, plots and pages: how numbers are shown."""
