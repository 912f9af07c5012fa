import cv2
import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from msbreg_mm.datasets.shapes import CLASSES, SceneStyle
from msbreg_mm.datasets.shapes.photos import PHOTOS
from msbreg_mm.datasets.shapes.scene import _place, draw_scene


@pytest.fixture(scope='module')
def scenes():
    style = SceneStyle(same_class=0.0)
    return [draw_scene('train', 96, style, [0, i]) for i in range(160)]


def test_masks_are_disjoint_and_not_empty(scenes):
    for scene in scenes:
        assert scene.image.shape == (96, 96, 3)
        assert scene.image.dtype == np.uint8
        assert len(scene.masks) == len(scene.labels) == len(scene.occluded) >= 1
        assert scene.masks.sum(axis=0).max() == 1
        assert scene.masks.any(axis=(1, 2)).all()
        assert scene.labels.max() < len(CLASSES)


def test_pictures_are_full_and_objects_hide_each_other(scenes):
    counts = [len(scene.labels) for scene in scenes]
    assert 3 < np.mean(counts) <= 5
    occluded = np.concatenate([scene.occluded for scene in scenes])
    assert 0.1 < occluded.mean() < 0.5


def test_sizes_cover_the_asked_range(scenes):
    sides = []
    for scene in scenes:
        for mask in scene.masks:
            *_, width, height = cv2.boundingRect(mask.astype(np.uint8))
            sides.append(max(width, height) / 96)
    style = SceneStyle()
    assert max(sides) <= style.max_diameter + 2 / 96
    low, extent = style.min_diameter, style.max_diameter - style.min_diameter
    assert np.quantile(sides, 0.9) > low + 0.6 * extent
    assert np.quantile(sides, 0.1) < low + 0.14 * extent


def test_equal_seeds_give_equal_pixels():
    first, second, other = (
        draw_scene('val', 64, SceneStyle(), seed) for seed in ([1, 2], [1, 2], [1, 3])
    )
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.masks, second.masks)
    assert not np.array_equal(first.image, other.image)


def object_features(scenes, feature):
    pairs = [
        (feature(scene.image, mask), label)
        for scene in scenes
        for mask, label, hidden in zip(
            scene.masks, scene.labels, scene.occluded, strict=True
        )
        if not hidden
    ]
    return map(np.array, zip(*pairs, strict=True))


def accuracy(features, labels):
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(5))
    return cross_val_score(model, features, labels, cv=4).mean()


def test_colour_and_texture_do_not_tell_the_class(scenes):
    def look(image, mask):
        pixels = image[mask].astype(float)
        return np.concatenate([pixels.mean(axis=0), pixels.std(axis=0)])

    # Chance is 1/7; about 370 objects give a standard error of 0.02.
    assert accuracy(*object_features(scenes, look)) < 0.22


def test_outline_tells_the_class(scenes):
    def shape(image, mask):
        moments = cv2.HuMoments(cv2.moments(mask.astype(np.uint8), True)).ravel()
        (_, _), radius = cv2.minEnclosingCircle(np.argwhere(mask).astype(np.float32))
        return [*np.log(np.abs(moments[:3]) + 1e-6), mask.sum() / radius**2]

    assert accuracy(*object_features(scenes, shape)) > 0.6


def test_same_class_gives_a_picture_a_subject():
    style = SceneStyle(same_class=1.0)
    for index in range(10):
        labels = draw_scene('train', 64, style, [index]).labels
        assert set(labels) == {labels[0]}


def test_each_object_stays_visible_enough():
    style = SceneStyle(min_visible=0.9, min_diameter=0.3)
    labels = np.arange(len(CLASSES))
    for seed in range(10):
        rng = np.random.default_rng(seed)
        covers, kept, masks, areas = _place(labels, 64, style, rng)
        assert len(covers) == len(kept) == len(masks) == len(areas) >= 1
        for mask, area in zip(masks, areas, strict=True):
            assert mask.sum() >= 0.9 * area


def test_val_shares_no_photograph_with_train():
    assert not set(PHOTOS['train']) & set(PHOTOS['val'])
    for path in (*PHOTOS['train'], *PHOTOS['val']):
        assert path.is_file()


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'min_objects': 0}, 'min_objects'),
        ({'min_objects': 6}, 'max_objects <= 254 is needed, got 6 and 4'),
        ({'max_objects': 255}, 'got 2 and 255'),
        ({'min_diameter': 0.6}, 'min_diameter'),
        ({'max_diameter': 1.5}, 'max_diameter'),
        ({'min_visible': 1.0}, r'min_visible must be in \[0.05, 0.9\], got 1.0'),
        ({'same_class': -0.1}, 'same_class'),
        ({'noise': -1}, 'noise'),
    ],
)
def test_style_out_of_range(wrong, message):
    with pytest.raises(ValueError, match=message):
        SceneStyle(**wrong)
