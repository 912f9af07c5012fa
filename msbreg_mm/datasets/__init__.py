"""Data sets that upstream lacks: shapes, image sets in memory, VOC masks.

Nothing is imported here: ``in_memory`` needs mmpretrain, the others do not.
"""
