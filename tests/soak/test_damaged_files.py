"""The short form of the long run: a few damaged files of every kind."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mutated_files import KINDS, run_kind


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('kind', KINDS)
def test_damaged_files_are_refused_or_harmless(kind, tmp_path):
    found = []

    def tell(index, outcome):
        if outcome != 'begun':
            found.append(outcome)

    count = 10 if kind.startswith('checkpoint') else 2
    run_kind(kind, 1, 0, count, tell, tmp_path)
    assert len(found) == count
    assert not {'SILENT', 'TRACEBACK'} & set(found)
