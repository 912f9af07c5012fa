import numpy as np
import pytest

from msbreg_mm.evaluation.features import (
    FeatureSet,
    check_finite,
    check_pair,
    release,
    row_chunks,
)

CLASSES = ('cat', 'dog', 'owl')


def make(labels, classes=CLASSES, dim=4, name='train (x.txt)', **kwargs):
    labels = np.asarray(labels, kwargs.pop('dtype', np.int64))
    features = np.random.default_rng(0).normal(size=(len(labels), dim))
    return FeatureSet(features.astype(np.float32), labels, classes, name, **kwargs)


def test_counts_and_classes():
    one = make([0, 2, 2])
    assert one.num_classes == 3
    assert one.counts.tolist() == [1, 0, 2]
    assert make([0, 3], classes=()).num_classes == 4
    several = make([[1, 0, -1], [1, 1, 0]], dtype=np.int8)
    assert several.multi_label
    assert several.num_classes == 3
    assert several.counts.tolist() == [2, 1, 0]
    part = one.take(np.array([False, True, True]))
    assert part.labels.tolist() == [2, 2]
    np.testing.assert_array_equal(part.features, one.features[1:])


def test_bad_sets_are_refused():
    x, y = np.zeros((3, 2), np.float32), np.zeros(3, np.int64)
    with pytest.raises(ValueError, match=r'must be float32 of shape.*float64 \(3, 2\)'):
        FeatureSet(x.astype(np.float64), y)
    with pytest.raises(ValueError, match=r'each at least 1, got float32 \(0, 2\)'):
        FeatureSet(x[:0], y[:0])
    with pytest.raises(ValueError, match=r'v: 3 features need as many labels.*\(2,\)'):
        FeatureSet(x, y[:2], name='v')
    with pytest.raises(ValueError, match='labels must be int64, got float64'):
        FeatureSet(x, y.astype(np.float64))
    with pytest.raises(ValueError, match='labels must be int8, got int64'):
        FeatureSet(x, np.zeros((3, 2), np.int64))
    with pytest.raises(ValueError, match='labels must be 0 to 1, got 0 to 2; does the'):
        FeatureSet(x, np.array([0, 1, 2]), ('a', 'b'))
    with pytest.raises(ValueError, match='labels must be 0, got -1 to 0'):
        FeatureSet(x, np.array([0, -1, 0]))
    with pytest.raises(ValueError, match=r'are 1, 0 or -1 .ignored.*got 0 to 2'):
        FeatureSet(x, np.array([[0], [1], [2]], np.int8))
    with pytest.raises(ValueError, match='labels of 2 classes, but 3 class names'):
        FeatureSet(x, np.zeros((3, 2), np.int8), CLASSES)


def test_features_that_are_not_finite_are_named():
    features = np.zeros((20_000, 2), np.float32)
    features[[7, 9_000, 19_999], 1] = np.nan, np.inf, -np.inf
    match = r'val: 3 of 20000 features hold NaN.*\(images 7, 9000, 19999\).*--amp'
    with pytest.raises(ValueError, match=match):
        FeatureSet(features, np.zeros(20_000, np.int64), name='val')
    features[:] = np.nan
    with pytest.raises(ValueError, match=r'images 0, 1, 2, 3, 4, …'):
        check_finite(features, 'val')


def test_sets_of_different_classes_do_not_fit():
    train = make([0, 1, 2])
    check_pair(train, make([2, 1], name='val'))
    check_pair(make([0, 1, 2], classes=()), make([1], classes=()))
    with pytest.raises(ValueError, match='3 and 2 classes, not in both: owl'):
        check_pair(train, make([0, 1], classes=CLASSES[:2], name='val'))
    with pytest.raises(ValueError, match="class 1 is 'dog' in one and 'owl' in the"):
        check_pair(train, make([0], classes=('cat', 'owl', 'dog')))
    with pytest.raises(ValueError, match=r'train .* has 2 classes, val 4; both need'):
        check_pair(make([0, 1], classes=()), make([3], classes=(), name='val'))
    with pytest.raises(ValueError, match='of 4 dimensions, v of 5; they come from'):
        check_pair(train, make([0, 1, 2], dim=5, name='v'))
    several = make(np.ones((2, 3)), dtype=np.int8, name='voc')
    with pytest.raises(ValueError, match=r'train .* has one label an image, voc sever'):
        check_pair(several, train)


def test_a_class_without_images_is_named():
    match = r"train \(x.txt\): 2 of 3 classes \('cat', 'owl'\) have no image to fit on"
    with pytest.raises(ValueError, match=match):
        check_pair(make([1, 1]), make([0, 1, 2]))
    with pytest.raises(ValueError, match=r'1 of 3 classes \(1\) have no image'):
        check_pair(make([0, 2], classes=()), make([0], classes=()))
    with pytest.raises(ValueError, match=r"\('dog'\) have no image to fit on"):
        check_pair(make([[1, -1, 1]], dtype=np.int8), make([[1, 1, 1]], dtype=np.int8))


@pytest.mark.parametrize('mode', ['r', 'r+', 'c'])
def test_chunks_of_a_memory_map_are_its_rows(tmp_path, mode):
    expected = np.random.default_rng(0).normal(size=(1000, 8)).astype(np.float32)
    np.save(tmp_path / 'x.npy', expected)
    mapped = np.load(tmp_path / 'x.npy', mmap_mode=mode)
    if mode != 'r':
        expected[5] = mapped[5] = 1  # must survive that pages are released
    chunks = [(start, part.copy()) for start, part in row_chunks(mapped, 300)]
    assert [start for start, _ in chunks] == [0, 300, 600, 900]
    np.testing.assert_array_equal(np.concatenate([p for _, p in chunks]), expected)
    release(mapped[3:10])
    np.testing.assert_array_equal(mapped, expected)
