"""Distributed reductions with gradients; lean imports of upstream packages."""
