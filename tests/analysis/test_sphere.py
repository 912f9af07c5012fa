import numpy as np
import pytest
from matplotlib.figure import Figure

from msbreg_mm.analysis.sphere import (
    COLOURS,
    _arcs,
    camera,
    draw_paths,
    draw_sphere,
    project_to_sphere,
)


def unit(*shape, seed=0):
    x = np.random.default_rng(seed).normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_three_dimensions_are_only_turned():
    z = unit(4, 5, 3)
    shown, share = project_to_sphere(z)
    assert share == pytest.approx(1)
    flat, turned = z.reshape(-1, 3), shown.reshape(-1, 3)
    np.testing.assert_allclose(turned @ turned.T, flat @ flat.T, atol=1e-9)


def test_projection_keeps_the_leading_singular_directions():
    z = unit(50, 9) * np.array([5, 4, 3, 1, 1, 1, 1, 1, 1])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    shown, share = project_to_sphere(z)
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    assert share == pytest.approx((s[:3] ** 2).sum() / (s**2).sum())
    expected = u[:, :3] * s[:3]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(shown), np.abs(expected), atol=1e-9)


@pytest.mark.parametrize('towards', [[0, 0, 1], [1, 0, 0], [-1, 2, 3]])
def test_camera_is_a_rotation_that_sees_its_aim(towards):
    rotation = camera(np.array(towards), tilt=0.4)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    seen = rotation @ (np.array(towards) / np.linalg.norm(towards))
    assert seen[2] == pytest.approx(np.cos(0.4))
    assert seen[1] == pytest.approx(0, abs=1e-12)


def test_arcs_stay_on_the_sphere_and_end_where_they_should():
    path = np.array([[1.0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    line = _arcs(path)
    np.testing.assert_allclose(np.linalg.norm(line, axis=1), 1, atol=1e-9)
    for point in path:
        assert np.abs(line - point).sum(axis=1).min() < 1e-9
    # Two quarters of a great circle, at even steps of at most 0.05 rad.
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    assert steps.max() < 0.05
    assert steps.sum() == pytest.approx(np.pi, abs=1e-3)


def test_far_side_is_paler():
    axes = Figure().add_subplot()
    draw_sphere(axes)
    draw_paths(axes, np.array([[[0, 0, 1.0], [0, 0, -1]]]), COLOURS[:2], np.eye(3))
    (dots,) = axes.collections
    assert sorted(dots.get_alpha()) == [0.35, 1]  # drawn from far to near


def test_too_small_for_a_sphere():
    with pytest.raises(ValueError, match='at least 3 dimensions, got 10 of 2'):
        project_to_sphere(unit(10, 2))
