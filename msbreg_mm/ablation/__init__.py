"""Ablations: variants of a pretraining config, their runs, one table."""
