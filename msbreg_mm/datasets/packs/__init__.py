"""Small packs of real images, made from the official archives."""

from msbreg_mm.datasets.packs.making import PACKS, make_pack

__all__ = ['PACKS', 'make_pack']
