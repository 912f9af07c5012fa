"""Names and titles of anyone in the formats of tables, as the letters that they are."""

import re
from typing import Any

# How a spreadsheet recognises a formula.
_FORMULA = re.compile(r'[=+\-@\t\r]')
_TEX = {
    '\\': r'\textbackslash ', '_': r'\_', '%': r'\%', '&': r'\&', '#': r'\#',
    '$': r'\$', '{': r'\{', '}': r'\}', '~': r'\textasciitilde ',
    '^': r'\textasciicircum ', '±': r'$\pm$', 'Δ': r'$\Delta$', '–': '--',
    '·': r'$\cdot$', '−': r'$-$', '×': r'$\times$', 'λ': r'$\lambda$', '’': "'",
    '→': r'$\rightarrow$', '<': '$<$', '>': '$>$', '|': r'\textbar ',
}  # fmt: skip


def one_line(text: str) -> str:
    """Replace line breaks, which end a row, a heading or a comment, by spaces."""
    return ' '.join(text.split())


def markdown(text: str) -> str:
    """Escape a text for a line or a cell of GitHub's Markdown."""
    text = one_line(text).replace('\\', '\\\\').replace('|', r'\|')
    return re.sub(r'<(?=[a-zA-Z/!?])', '&lt;', text)


def tex(text: str) -> str:
    """Escape a text for LaTeX; a sign before a number becomes a real minus."""
    text = re.sub(r'(?<![\w.)\]-])-(?=\d)', '−', one_line(text))
    return ''.join(_TEX.get(sign, sign) for sign in text)


def csv_cell(value: Any) -> Any:
    """Keep a spreadsheet from taking a text for a formula: put ' before it.

    Args:
        value: A text, or a number, which is left alone.
    """
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return value
