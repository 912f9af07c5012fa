"""The report of a transfer suite: sections, pictures, pretraining curves."""
