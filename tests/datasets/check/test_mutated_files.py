"""What harms a reader of VOC's XML or of masks has a finding, and nothing crashes."""

import pytest
from file_mutations import (
    MASK_CHANGES,
    XML_CHANGES,
    mask_verdicts,
    voc_verdicts,
    write_masks,
    write_voc,
)
from hypothesis import HealthCheck, Phase, given, settings

from msbreg_mm.utils.upstream import import_scope

QUIET = {
    'deadline': None,
    'database': None,
    'phases': [Phase.explicit, Phase.generate],
    'suppress_health_check': list(HealthCheck),
}


@pytest.fixture(scope='module')
def voc_set(tmp_path_factory):
    import_scope('mmdet')
    return write_voc(tmp_path_factory.mktemp('xml') / 'set')


@pytest.fixture(scope='module')
def mask_set(tmp_path_factory):
    return write_masks(tmp_path_factory.mktemp('masks') / 'set')


@settings(max_examples=8, derandomize=True, **QUIET)
@given(XML_CHANGES)
def test_mutated_xml(voc_set, change):
    kinds, harm = voc_verdicts(voc_set, voc_set.parent / 'copy', change)
    assert kinds or not harm, f'the check is silent; {harm}'


@settings(max_examples=8, derandomize=True, **QUIET)
@given(MASK_CHANGES)
def test_mutated_masks(mask_set, change):
    kinds, harm = mask_verdicts(mask_set, mask_set.parent / 'copy', change)
    assert kinds or not harm, f'the check is silent; {harm}'
