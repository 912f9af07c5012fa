import pytest
import torch

from msbreg_mm.models.necks import GridPooling


def test_four_windows_of_a_seven_by_seven_map():
    maps = torch.randn(2, 3, 7, 7)
    (pooled,) = GridPooling()([torch.zeros(2, 1, 9, 9), maps])
    assert pooled.shape == (2, 12)
    corners = [
        maps[..., i : i + 6, j : j + 6].mean((2, 3)) for i in (0, 1) for j in (0, 1)
    ]
    torch.testing.assert_close(pooled, torch.stack(corners, 2).flatten(1))


def test_whole_map_is_global_pooling():
    maps = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(GridPooling(4)([maps])[0], maps.mean((2, 3)))


def test_errors():
    with pytest.raises(ValueError, match='at least 1, got 0 and 1'):
        GridPooling(kernel_size=0)
    with pytest.raises(ValueError, match='the map has 2 x 7 positions, fewer than ker'):
        GridPooling()([torch.zeros(1, 1, 2, 7)])
