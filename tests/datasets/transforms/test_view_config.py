import pytest

from msbreg_mm.datasets.transforms import ViewConfig, byol_views


def test_byol_views_are_asymmetric():
    first, second = byol_views(96)
    assert (first.blur_prob, first.solarize_prob) == (1.0, 0.0)
    assert (second.blur_prob, second.solarize_prob) == (0.1, 0.2)
    assert first.size == second.size == 96


def test_lists_of_a_dumped_config_are_ranges():
    view = ViewConfig.from_dict({'crop_scale': [0.2, 1], 'size': 32})
    assert view.crop_scale == (0.2, 1.0)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('num_views', 0),
        ('num_views', 1.5),
        ('num_views', True),
        ('size', 0),
        ('crop_scale', (0, 1)),
        ('crop_scale', (0.5, 1.5)),
        ('crop_scale', (0.9, 0.1)),
        ('crop_scale', 0.5),
        ('crop_scale', ('a', 'b')),
        ('crop_ratio', (1, 2, 3)),
        ('blur_sigma', (2.0, 0.1)),
        ('interpolation', 'lanczos'),
        ('flip_prob', -0.1),
        ('jitter_prob', 1.1),
        ('gray_prob', float('nan')),
        ('blur_prob', 2),
        ('blur_prob', '0.5'),
        ('solarize_prob', None),
        ('brightness', 1.5),
        ('hue', 0.6),
        ('solarize_threshold', 300),
    ],
)
def test_value_out_of_range_is_named(key, value):
    with pytest.raises(ValueError, match=f'{key} must be'):
        ViewConfig.from_dict({key: value})


def test_unknown_key_is_named():
    with pytest.raises(ValueError, match='unknown key blur_probability; known are num'):
        ViewConfig.from_dict({'blur_probability': 0.5})
