"""Intervals over images: their width, their pairing, and how often they err."""

from dataclasses import replace

import numpy as np
import pytest

from msbreg_mm.evaluation.outcomes import Detections, make_hits
from msbreg_mm.reports.bootstrap import (
    Replicates,
    draw_weights,
    image_difference,
    replicate,
)


def run(hits, samples=400):
    labels = np.zeros(len(hits), int)
    return replicate(make_hits(labels, {'top1': hits}), samples)


def test_the_standard_error_is_the_binomials():
    rng = np.random.default_rng(0)
    one, two = rng.random((2, 2000)) < 0.7
    found = image_difference([(run(one, 2000), run(two, 2000))], 'top1')
    assert found.mean == pytest.approx(100 * (one.mean() - two.mean()))
    error = 100 * np.std(one.astype(float) - two) / 2000**0.5
    assert found.high - found.mean == pytest.approx(1.96 * error, rel=0.06)
    assert found.n == 2000


def test_what_both_share_cancels():
    rng = np.random.default_rng(1)
    hard = rng.random(500) < 0.5
    better = hard | (np.arange(500) % 25 == 0)
    found = image_difference([(run(better), run(hard))], 'top1')
    other = image_difference([(run(better), run(rng.permutation(hard)))], 'top1')
    assert found.high - found.low < 0.4 * (other.high - other.low)
    assert found.leaves_out_zero


def test_only_equal_images_are_paired():
    one, two = run(np.arange(40) % 2 == 0), run(np.arange(40) % 3 == 0)
    assert image_difference([(one, two)], 'top1').n == 40
    assert image_difference([(one, replace(two, images='other'))], 'top1') is None
    assert (
        image_difference([(one, two), (one, Replicates('x', 40, {}))], 'top1') is None
    )
    assert image_difference([(one, two)], 'mAP') is None
    few = run(np.arange(9) % 2 == 0)
    assert image_difference([(few, few)], 'top1') is None
    same = image_difference([(one, one)], 'top1')
    assert (same.mean, same.low, same.significant) == (0, None, False)


def test_samples_are_the_same_for_all_runs():
    weights = draw_weights(30, 5)
    np.testing.assert_array_equal(weights, draw_weights(30, 5))
    assert weights[0].tolist() == [1] * 30
    assert weights.sum(axis=1).tolist() == [30] * 6


def detector(rng, images=150, classes=2):
    """One detector: objects found with more or less precision, and mistakes."""
    positives = rng.poisson(1.5, (images, classes))
    image, label = np.nonzero(positives)
    repeats = positives[image, label]
    image, label = np.repeat(image, repeats), np.repeat(label, repeats)
    objects = len(image)
    image = np.concatenate([image, rng.integers(0, images, objects)])
    label = np.concatenate([label, rng.integers(0, classes, objects)])
    quality = np.where(np.arange(2 * objects) < objects, rng.beta(6, 2, 2 * objects), 0)
    return Detections(
        np.arange(images), np.array(['a', 'b']), image, label,
        np.clip(quality * 0.5 + rng.normal(0.3, 0.2, 2 * objects), 0, 1),
        quality > np.array([[0.5], [0.75]]), np.zeros((2, 2 * objects), bool),
        positives,
        np.array(['mAP']), np.array([-1]), np.array('coco'),
    )  # fmt: skip


def half(whole, mine):
    return replace(
        whole, image=whole.image[mine], label=whole.label[mine],
        scores=whole.scores[mine], right=whole.right[:, mine],
        ignored=whole.ignored[:, mine],
    )  # fmt: skip


def test_two_halves_of_one_detector_differ_in_about_five_percent_of_trials():
    """Each detection goes to one of the halves by chance: there is no difference."""
    rng, trials, significant = np.random.default_rng(0), 240, 0
    for _ in range(trials):
        whole = detector(rng)
        mine = rng.random(len(whole.scores)) < 0.5
        pair = replicate(half(whole, mine), 150), replicate(half(whole, ~mine), 150)
        significant += image_difference([pair], 'mAP').leaves_out_zero
    # Two standard deviations of a binomial of 240 trials around 5 %; 2,000 trials gave
    # 4.95 %.
    assert 0.022 <= significant / trials <= 0.078
