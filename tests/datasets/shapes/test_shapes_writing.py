import numpy as np
import pytest

from msbreg_mm.datasets.shapes.writing import voc_palette, write_jpeg


def test_palette_is_vocs():
    palette = np.array(voc_palette()).reshape(256, 3)
    # aeroplane, person, tvmonitor and the void border of VOC2012
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    for index, colour in known.items():
        assert tuple(palette[index]) == colour


def test_failed_write_is_an_error(tmp_path):
    # OpenCV only returns False.
    with pytest.raises(OSError, match=r'cannot write .*gone.*a\.jpg'):
        write_jpeg(tmp_path / 'gone' / 'a.jpg', np.zeros((4, 4, 3), np.uint8))
