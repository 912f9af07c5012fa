"""Data sets that upstream lacks: shapes, image sets in memory, VOC masks."""

from .in_memory import InMemoryImages

__all__ = ['InMemoryImages']
