import numpy as np
import pytest

from msbreg_mm.datasets.shapes.outlines import CLASSES, unit_outline


def polygon_area(points):
    x, y = points.T
    return 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def outline(name, seed=0):
    return unit_outline(name, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ('name', 'area'),
    [('disc', np.pi), ('square', 2.0), ('triangle', 3 * np.sqrt(3) / 4)],
)
def test_area_of_fixed_shapes(name, area):
    (ring,) = outline(name)
    assert polygon_area(ring) == pytest.approx(area, rel=4e-3)


def test_star_has_five_tips_and_the_area_of_ten_triangles():
    (ring,) = outline('star')
    radii = np.linalg.norm(ring, axis=1)
    assert radii[::2] == pytest.approx(1)
    inner = radii[1]
    assert radii[1::2] == pytest.approx(inner)
    assert polygon_area(ring) == pytest.approx(5 * inner * np.sin(np.pi / 5))


def test_ring_has_a_centred_hole():
    outer, hole = outline('ring')
    assert np.linalg.norm(outer, axis=1) == pytest.approx(1)
    radius = np.linalg.norm(hole, axis=1)
    assert radius == pytest.approx(radius[0])
    assert 0.4 < radius[0] < 0.7


@pytest.mark.parametrize('seed', range(5))
def test_cross_is_two_bars(seed):
    (ring,) = outline('cross', seed)
    quarter_turn = ring @ np.array([[0, 1], [-1, 0]])
    assert {tuple(p) for p in quarter_turn.round(6) + 0.0} == {
        tuple(p) for p in ring.round(6) + 0.0
    }
    length, arm = np.abs(ring).max(), np.abs(ring).min()
    # Two bars of 2 length x 2 arm that share a square of side 2 arm.
    assert polygon_area(ring) == pytest.approx(8 * length * arm - 4 * arm**2)


@pytest.mark.parametrize('seed', range(5))
def test_crescent_is_the_disc_less_another_disc(seed):
    (ring,) = outline('crescent', seed)
    inner = ring[np.linalg.norm(ring, axis=1) < 1 - 1e-6]
    # Circle through the inner points: x² + y² = 2 a x + 2 b y + c.
    system = np.column_stack([2 * inner, np.ones(len(inner))])
    a, b, c = np.linalg.lstsq(system, (inner**2).sum(axis=1), rcond=None)[0]
    assert b == pytest.approx(0, abs=1e-6)
    radius = np.sqrt(c + a**2)
    lens = (
        np.arccos((a**2 + 1 - radius**2) / (2 * a))
        + radius**2 * np.arccos((a**2 + radius**2 - 1) / (2 * a * radius))
        - 0.5
        * np.sqrt(
            (-a + 1 + radius) * (a + 1 - radius) * (a - 1 + radius) * (a + 1 + radius)
        )
    )
    assert polygon_area(ring) == pytest.approx(np.pi - lens, rel=5e-3)


@pytest.mark.parametrize('name', CLASSES)
@pytest.mark.parametrize('seed', range(3))
def test_shapes_stay_in_the_unit_disc(name, seed):
    for ring in outline(name, seed):
        assert np.linalg.norm(ring, axis=1).max() <= 1 + 1e-9


def test_unknown_class():
    with pytest.raises(ValueError, match=r"'blob'.*disc, square"):
        outline('blob')
