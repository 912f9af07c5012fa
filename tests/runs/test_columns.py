"""How a column says its scale."""

import pytest

from msbreg_mm.runs.columns import Column


@pytest.mark.parametrize(
    ('key', 'scale'),
    [
        ('coco/segm_mAP', 100),
        ('pascal_voc/AP50', 100),
        ('accuracy/top1', 1),
        ('knn/top1', 1),
        ('mIoU', 1),
        ('geometry/effective_rank', 1),
    ],
)
def test_known_keys_need_no_scale(key, scale):
    column = Column.read((key, 'title'))
    assert column.scale == scale
    assert column.shown({key: 0.24}) == pytest.approx(0.24 * scale)


def test_a_scale_that_is_written_counts():
    assert Column.read(('accuracy/top1', 'x', 100)).scale == 100


def test_unknown_keys_must_say_it():
    with pytest.raises(
        ValueError, match=r"'own/score' is a fraction .*\(key, title, sca"
    ):
        Column.read(('own/score', 'score'))
