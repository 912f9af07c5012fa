"""The commands of ``msbreg``, one module each.

A module holds ``add_arguments(parser)`` and ``run(args) -> int``. It imports what
the work needs inside ``run``, so that ``--help`` is there at once.
"""
