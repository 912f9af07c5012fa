"""The check complains exactly where training or scoring is harmed."""

import pytest
from coco_mutations import MUTATIONS, verdicts
from fake_coco import write_coco
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from msbreg_mm.utils.upstream import import_scope

SPLITS = st.sampled_from(['train', 'val', 'both'])
QUIET = {
    'deadline': None,
    'database': None,
    'phases': [Phase.explicit, Phase.generate],
    'suppress_health_check': list(HealthCheck),
}


@pytest.fixture(scope='module')
def small_set(tmp_path_factory):
    import_scope('mmdet')
    import mmdet.evaluation  # noqa: F401  (once, not in every child)

    return write_coco(tmp_path_factory.mktemp('agreement') / 'set', num_images=2)


def agree(small_set, mutation, where):
    kinds, harm = verdicts(small_set, small_set.parent / 'copy', where, mutation)
    assert bool(kinds) == bool(harm), f'check: {kinds}; training: {harm or "fine"}'


@settings(max_examples=4, derandomize=True, **QUIET)
@given(MUTATIONS, SPLITS)
def test_mutated_files(small_set, mutation, where):
    agree(small_set, mutation, where)


@pytest.mark.slow
@settings(max_examples=500, **QUIET)
@given(MUTATIONS, SPLITS)
def test_many_mutated_files(small_set, mutation, where):
    agree(small_set, mutation, where)
