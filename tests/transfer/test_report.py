"""The HTML page: complete, self-contained, and shown without errors."""

import base64
import io
import re

import numpy as np
import pytest
from chromium import screenshot
from PIL import Image
from synthetic import write_coco, write_pretraining, write_suite

from msbreg_mm.transfer.predictions import compare_predictions
from msbreg_mm.transfer.report import pretrain_folders, write_report
from msbreg_mm.utils.files import write_json


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp('report')
    ann_file = write_coco(root / 'data')
    write_suite(
        root / 'suite', 'mask-rcnn_tiny', 'tiny <protocol> & label', ann_file,
        root / 'data/images', {'random': 0.4, 'BYOL': 0.6, 'MSBReg': 0.9},
        seeds=(0, 1),
    )  # fmt: skip
    failed = root / 'suite/mask-rcnn_tiny/BYOL-42594259/seed2/failure.json'
    write_json(failed, {'reason': 'the trainer ended with code 1'})
    pretrained = write_pretraining(root / 'MSBReg')
    return write_report(root / 'suite', [f'MSBReg={pretrained}'])


def test_page_shows_everything(page):
    text = page.read_text()
    for part in (
        'tiny &lt;protocol&gt; &amp; label', '1 job failed', 'Every seed',
        'Convergence', 'Predictions', 'By class and size', 'Precision and recall',
        'Pretraining',
        'Effective rank', 'Singular value loss', 'no spectrum', 'torch 2.14.1',
    ):  # fmt: skip
        assert part in text, part
    assert 'MSBReg against random initialisation' in text
    # 4 images: ground truth and three checkpoints
    assert text.count('data:image/jpeg') == 16


def test_page_is_self_contained(page):
    text = page.read_text()
    without_data = re.sub(r'data:image/jpeg;base64,[^"]*', '', text)
    for url in re.findall(r'(?:href|src)="([^"]*)"', without_data):
        assert url.startswith('#') or url in ('', 'data:,'), url
    assert '<script' not in text
    assert '@import' not in text
    assert 'url(http' not in text


def test_other_formats_are_written(page):
    for name in ('table.md', 'table.tex', 'table.csv'):
        assert 'MSBReg' in page.with_name(name).read_text()


def test_ground_truth_is_drawn_where_it_is(page):
    root = page.parent
    folder = root / 'mask-rcnn_tiny/random/seed0'
    rows = compare_predictions({'random': folder}, count=1)
    (truth, _), = rows  # fmt: skip
    pixels = Image.open(io.BytesIO(base64.b64decode(truth.url.split(',')[1])))
    original = Image.open(root.parent / 'data/images/0.jpg').resize(pixels.size)
    changed = np.abs(np.asarray(pixels, int) - np.asarray(original, int)).sum(2) > 90
    # Squares of 24 of 96 x 64 pixels lie at x = 4 and x = 34.
    scale = pixels.width / 96
    columns = np.where(changed.mean(0) > 0.15)[0] / scale
    assert columns.min() == pytest.approx(4, abs=1.5)
    assert columns.max() == pytest.approx(58, abs=1.5)


def test_missing_images_leave_a_note_and_the_tables(tmp_path):
    ann_file = write_coco(tmp_path / 'data')
    write_suite(
        tmp_path / 'suite', 't', 'p', ann_file, tmp_path / 'data/images',
        {'random': 0.5}, seeds=(0,),
    )  # fmt: skip
    ann_file.unlink()
    text = write_report(tmp_path / 'suite').read_text()
    assert 'details not shown: no annotation file' in text
    assert 'Every seed' in text


def test_errors(tmp_path):
    with pytest.raises(ValueError, match='no finished job'):
        write_report(tmp_path)
    with pytest.raises(FileNotFoundError, match='no pretraining folder nope'):
        pretrain_folders(['a=nope'])


@pytest.mark.parametrize(('width', 'dark'), [(1180, False), (400, True)])
def test_chromium_shows_the_page(page, tmp_path, width, dark):
    pixels = screenshot(page, tmp_path, width, dark)
    assert pixels.std() > 10
    ink, paper = (pixels < 90).mean(), (pixels > 200).mean()
    assert (ink > paper) == dark
