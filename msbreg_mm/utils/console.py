"""Consoles that cannot show every letter."""

import codecs
import sys
import unicodedata

# What the project itself prints; other letters are taken apart or named.
_PLAIN = {
    'Δ': 'd', '±': '+/-', '–': '-', '—': '-', '−': '-', '…': '...', '×': 'x',
    '·': '.', '→': '->', '≥': '>=', '≤': '<=', '•': '*', '‘': "'", '’': "'",
    '“': '"', '”': '"', 'σ': 's', 'λ': 'l', '━': '-', '╸': '-', '╺': '-', '│': '|',
    '─': '-',
}  # fmt: skip
_HANDLER = 'msbreg_plain'


def make_printable() -> None:
    """Let standard output and error show what their encoding lacks in plain letters.

    A console of another encoding than UTF-8 (``LANG=de_DE``, ``PYTHONIOENCODING``)
    would end a program at the first Δ, one of UTF-8 at the first file name that is
    not UTF-8. Every tool calls this first; streams that are not files of the operating
    system are left alone.
    """
    codecs.register_error(_HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, 'reconfigure', None)
        if reconfigure is not None:
            reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return ''.join(map(_plain, text)), error.end


def _plain(letter: str) -> str:
    if letter in _PLAIN:
        return _PLAIN[letter]
    bare = unicodedata.normalize('NFKD', letter).encode('ascii', 'ignore').decode()
    return bare or letter.encode('ascii', 'backslashreplace').decode()
