import subprocess
import sys
from pathlib import Path

import pytest

from msbreg_mm.datasets.image_lists import read_lines
from msbreg_mm.datasets.imagenet_lists import convert_imagenet_list

ROOT = Path(__file__).parents[2]


@pytest.fixture
def imagenet(tmp_path):
    """Three classes; their alphabetical order is not that of the list below."""
    root = tmp_path / 'imagenet'
    for folder in ('n01440764', 'n01443537', 'n02110341'):
        (root / 'train' / folder).mkdir(parents=True)
        for number in (1, 20):
            (root / 'train' / folder / f'{folder}_{number}.JPEG').touch()
    return root


def write(tmp_path, *lines):
    listing = tmp_path / '1percent.txt'
    listing.write_text('\n'.join(lines) + '\n')
    return listing


def test_labels_follow_the_folders(imagenet, tmp_path):
    listing = write(tmp_path, 'n02110341_20.JPEG', '', 'n01440764_1.JPEG')
    path, count = convert_imagenet_list(listing, imagenet)
    assert path == imagenet / 'meta' / 'train_1percent.txt'
    assert count == 2
    assert path.read_text().splitlines() == [
        'n02110341/n02110341_20.JPEG 2',
        'n01440764/n01440764_1.JPEG 0',
    ]
    infos = read_lines(str(path), str(imagenet / 'train'), with_label=True)
    assert all(Path(info['img_path']).is_file() for info in infos)


def test_tool(imagenet, tmp_path):
    listing = write(tmp_path, 'n01443537_1.JPEG')
    command = [sys.executable, 'tools/prepare_data.py', 'imagenet-list', listing]
    run = subprocess.run(
        [*command, imagenet, '--output', tmp_path / 'own.txt'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert '(1 images)' in run.stdout.replace('\n', ' ')
    assert (tmp_path / 'own.txt').read_text() == 'n01443537/n01443537_1.JPEG 1\n'


@pytest.mark.parametrize(
    ('lines', 'error', 'match'),
    [
        (['n01440764_1.JPEG', 'n09999999_1.JPEG'], ValueError, r'1percent.txt:2.*3 cl'),
        (['n01440764.JPEG'], ValueError, r'is not <class>_<number>.JPEG'),
        (['n01440764_1.JPEG'] * 2, ValueError, 'stands there twice'),
        (['n01440764_3.JPEG'], FileNotFoundError, r'1 of 1 images .*n01440764_3'),
        ([''], ValueError, 'lists no images'),
    ],
)
def test_bad_lists(imagenet, tmp_path, lines, error, match):
    with pytest.raises(error, match=match):
        convert_imagenet_list(write(tmp_path, *lines), imagenet)
    assert not (imagenet / 'meta').exists()


def test_missing_inputs(imagenet, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no list .*none.txt'):
        convert_imagenet_list(tmp_path / 'none.txt', imagenet)
    listing = write(tmp_path, 'n01440764_1.JPEG')
    with pytest.raises(FileNotFoundError, match=r'no folder .*train'):
        convert_imagenet_list(listing, tmp_path)
