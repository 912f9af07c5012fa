"""A small generated set, shared read-only and copied where a test plants faults."""

import shutil
from pathlib import Path

import pytest

from msbreg_mm.datasets.shapes import generate_shapes

SMALL = {
    'num_unlabelled': 3,
    'num_train': 12,
    'num_val': 8,
    'image_size': 64,
    'seed': 3,
    'progress': False,
}


@pytest.fixture(scope='session')
def small_shapes(tmp_path_factory) -> Path:
    return generate_shapes(tmp_path_factory.mktemp('data') / 'shapes', **SMALL).root


@pytest.fixture
def shapes_copy(small_shapes, tmp_path) -> Path:
    return Path(shutil.copytree(small_shapes, tmp_path / 'copy'))
