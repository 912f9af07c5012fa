"""Random changes of COCO files: what the check says and what training them does.

    python tests/soak/data_files.py [--examples 300] [--seed 0]

Prints every disagreement, then a table of outcomes.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import hypothesis
from coco_mutations import MUTATIONS, verdicts
from fake_coco import write_coco
from hypothesis import strategies as st

from msbreg_mm.utils.upstream import import_scope

WORDS = {
    (False, False): 'no finding, training and scores unharmed',
    (True, True): 'finding, training or scores harmed',
    (False, True): 'NO FINDING, training or scores harmed',
    (True, False): 'FINDING, training and scores unharmed',
}


def main() -> int:
    """Run the examples; returns 1 if any disagree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--examples', type=int, default=300)
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args()
    import_scope('mmdet')
    import mmdet.evaluation  # noqa: F401  (once, not in every child)

    outcomes: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        base = write_coco(Path(folder, 'set'), num_images=2)

        @hypothesis.seed(options.seed)
        @hypothesis.settings(
            max_examples=options.examples,
            deadline=None,
            database=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(MUTATIONS, st.sampled_from(['train', 'val', 'both']))
        def run(mutation: list, where: str) -> None:
            kinds, harm = verdicts(base, Path(folder, 'copy'), where, mutation)
            outcome = (bool(kinds), bool(harm))
            outcomes[outcome] += 1
            if outcome[0] != outcome[1]:
                print(f'{where} {mutation}: {kinds}; {harm or "fine"}', flush=True)

        run()
    for outcome, words in WORDS.items():
        print(f'{outcomes[outcome]:5d}  {words}')
    return int(any(outcomes[pair] for pair in WORDS if pair[0] != pair[1]))


if __name__ == '__main__':
    sys.exit(main())
