import io

import cv2
import numpy as np
import pytest
from photographs import photographs, rmse
from PIL import Image

from msbreg_mm.datasets.transforms.reading import (
    CorruptImageError,
    decode,
    jpeg_size,
    read_bytes,
)


@pytest.fixture(scope='module')
def picture():
    """A photograph as a PIL image, 200×120."""
    return Image.fromarray(photographs()[0][:120, :200, ::-1].copy())


def encode(picture, file_format='PNG', **options):
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ('file_format', 'mode', 'error'),
    [
        ('PNG', 'RGB', 0),
        ('PNG', 'L', 0),
        ('PNG', 'LA', 0),
        ('PNG', '1', 0),
        ('PNG', 'RGBA', 0),
        ('BMP', 'RGB', 0),
        ('TIFF', 'RGB', 0),
        ('JPEG', 'RGB', 4),
        ('JPEG', 'L', 4),
        ('JPEG', 'CMYK', 4),
        ('WEBP', 'RGB', 6),
    ],
)
def test_modes_and_formats(picture, file_format, mode, error):
    converted = picture.convert(mode)
    decoded = decode(encode(converted, file_format), 'file')
    assert decoded.dtype == np.uint8
    expected = np.asarray(converted.convert('RGB'))[..., ::-1]
    assert rmse(decoded, expected) <= error


def test_sixteen_bits_become_eight():
    levels = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    decoded = decode(cv2.imencode('.png', levels)[1].tobytes(), 'file')
    assert (decoded == np.arange(256).reshape(16, 16, 1)).all()


def test_exif_orientation_is_applied(picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    decoded = decode(encode(picture, 'JPEG', exif=exif, quality=95), 'file')
    upright = np.rot90(np.asarray(picture), -1)[..., ::-1]
    assert decoded.shape == (200, 120, 3)
    assert rmse(decoded, upright) < 4


@pytest.mark.parametrize('halvings', [1, 2, 3])
def test_reduced_decode(picture, halvings):
    encoded = encode(picture, 'JPEG', quality=95)
    reduced = decode(encoded, 'file', halvings)
    factor = 2**halvings
    assert reduced.shape == (120 // factor, 200 // factor, 3)
    expected = cv2.resize(
        decode(encoded, 'file'), reduced.shape[1::-1], interpolation=cv2.INTER_AREA
    )
    assert rmse(reduced, expected) < 4


@pytest.mark.parametrize('file_format', ['JPEG', 'PNG', 'WEBP', 'BMP'])
@pytest.mark.parametrize('kept', [0.0, 0.1, 0.5, 0.95])
def test_truncated_image_names_the_file(picture, file_format, kept):
    encoded = encode(picture, file_format)
    with pytest.raises(CorruptImageError, match=r"'some/file\.jpg' \(\d+ bytes\)"):
        decode(encoded[: int(len(encoded) * kept)], 'some/file.jpg')


def test_no_image():
    with pytest.raises(CorruptImageError, match='truncated or not an image'):
        decode(b'<html>not found</html>', 'page.jpg')


def test_jpeg_size(picture):
    assert jpeg_size(encode(picture, 'JPEG')) == (120, 200)
    assert jpeg_size(encode(picture, 'PNG')) is None
    assert jpeg_size(encode(picture, 'JPEG')[:20]) is None


def test_read_bytes(tmp_path):
    path = tmp_path / 'file'
    path.write_bytes(b'abc')
    assert read_bytes(str(path)).tobytes() == b'abc'
    assert read_bytes(str(path), {'backend': 'local'}).tobytes() == b'abc'
    with pytest.raises(FileNotFoundError, match=r'no image file .*gone\.jpg'):
        read_bytes(str(tmp_path / 'gone.jpg'))
