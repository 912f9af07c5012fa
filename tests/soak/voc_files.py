"""Random changes of VOC's XML files and of masks: what the check and readers say.

    python tests/soak/voc_files.py [--examples 300] [--seed 0]

Prints every harm without a finding, then a table of outcomes of both kinds.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import file_mutations as files
import hypothesis

from msbreg_mm.utils.upstream import import_scope


def main() -> int:
    """Run the examples; returns 1 if any harm has no finding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--examples', type=int, default=300)
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args()
    import_scope('mmdet')
    outcomes: Counter = Counter()
    kinds = {
        'XML': (files.write_voc, files.voc_verdicts, files.XML_CHANGES),
        'mask': (files.write_masks, files.mask_verdicts, files.MASK_CHANGES),
    }
    for kind, (write, verdicts, changes) in kinds.items():
        with tempfile.TemporaryDirectory() as folder:
            base = write(Path(folder) / 'set')

            @hypothesis.seed(options.seed)
            @hypothesis.settings(
                max_examples=options.examples,
                deadline=None,
                database=None,
                phases=[hypothesis.Phase.generate],
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            @hypothesis.given(changes)
            def run(change):
                try:
                    found, harm = verdicts(base, base.parent / 'copy', change)  # noqa: B023
                except Exception as error:
                    outcomes[kind, 'TRACEBACK'] += 1  # noqa: B023
                    print(f'{kind} {str(change)[:90]}: {type(error).__name__}: {error}')  # noqa: B023
                    return
                words = f'{"finding" if found else "no finding"}, '
                words += 'harm' if harm else 'no harm'
                outcomes[kind, words] += 1  # noqa: B023
                if harm and not found:
                    print(f'{kind} {str(change)[:90]}: silent; {harm}')  # noqa: B023

            run()
    for (kind, words), count in sorted(outcomes.items()):
        print(f'{kind}: {words}: {count}')
    bad = ('TRACEBACK', 'no finding, harm')
    return int(any(words in bad for _, words in outcomes))


if __name__ == '__main__':
    sys.exit(main())
