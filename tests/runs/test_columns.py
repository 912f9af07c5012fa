"""One class of columns from the config to the page: scale and direction."""

import pytest

from msbreg_mm.runs.columns import Column, read_columns, unusual


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


@pytest.mark.parametrize(
    ('key', 'better'),
    [
        ('coco/bbox_mAP', 1), ('knn/top1', 1), ('geometry/effective_rank', 0),
        ('effective_rank', 0), ('logistic/l2', 0), ('val/loss', -1),
        ('top1_error', -1), ('geometry/uniformity', 0),
    ],
)  # fmt: skip
def test_direction_by_key(key, better):
    assert Column(key, 'x').better == better


def test_written_short_and_long():
    assert Column.read(('coco/b', 'B')) == Column('coco/b', 'B', 100.0)
    assert Column.read(['a/b', 'B', 1]) == Column('a/b', 'B', 1.0)
    assert Column.read(('a/b', 'B', 1, -1)).better == -1
    for wrong in (('a',), 'ab', ('a', 'b', 1, 1, 1)):
        with pytest.raises(ValueError, match='is no column; write'):
            Column.read(wrong)
    with pytest.raises(ValueError, match=r'better must be 1 \(more\)'):
        Column.read(('a', 'b', 1, 2))


def test_a_record_keeps_three_and_the_unusual_direction():
    columns = [Column('a', 'A', 1.0), Column('b', 'B', 1.0, better=-1)]
    kept = [column.stored for column in columns]
    assert kept == [('a', 'A', 1.0), ('b', 'B', 1.0)]
    assert unusual(columns) == {'b': -1}
    assert read_columns(kept, unusual(columns)) == columns
    assert read_columns(kept)[1].better == 1


def test_shown_values():
    column = Column('coco/bbox_mAP_l', 'AP large')
    assert column.shown({'coco/bbox_mAP_l': 0.25}) == 25
    assert column.shown({'coco/bbox_mAP_l': -1}) is None  # no large object there
    assert column.shown({}) is None
    assert Column('mIoU', 'mIoU', 1.0).shown({'mIoU': -1}) == -1
    assert Column('t', 'time', 1.0, unit='min').heading == 'time, min'
