"""Published reference rows, with their sources."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class PublishedRow:
    """A row of a paper or a project's README.

    Attributes:
        name: Pretraining.
        values: Column title → value, as published.
        source: Where it stands.
        std: Column title → standard deviation, where the source gives it.
    """

    name: str
    values: Mapping[str, float]
    source: str
    std: Mapping[str, float]


def published_rows(protocol: str) -> list[PublishedRow]:
    """Find the published rows of a protocol.

    Args:
        protocol: Label; it must match exactly, so that a changed schedule or
            data set never stands beside published numbers.

    Returns:
        Rows in the order of the data file.
    """
    return [
        PublishedRow(
            row['name'],
            dict(zip(group['columns'], row['values'], strict=True)),
            row['source'],
            dict(zip(group['columns'], row.get('std', ()), strict=False)),
        )
        for group in _groups()
        if group['protocol'] == protocol
        for row in group['rows']
    ]


def published_protocols() -> list[str]:
    """List the labels that have published rows."""
    return [group['protocol'] for group in _groups()]


@cache
def _groups() -> list[dict]:
    file = resources.files('msbreg_mm.reports') / 'published.json'
    return json.loads(file.read_text(encoding='utf-8'))
