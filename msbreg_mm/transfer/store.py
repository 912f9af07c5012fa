"""Names of :mod:`msbreg_mm.runs.record` where scripts of version 0.1 look for them."""

from msbreg_mm.runs.record import Identity, Record, read_records, write_record

__all__ = ['Identity', 'Record', 'read_records', 'write_record']
