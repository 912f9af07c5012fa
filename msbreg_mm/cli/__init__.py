"""The commands of ``msbreg``, one module each."""
