"""Real jobs: tools/transfer.py runs probes of frozen features on a few images."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from msbreg_mm.runs.folder import RESULT
from msbreg_mm.runs.record import read_record
from msbreg_mm.suite.options import SuiteOptions
from msbreg_mm.suite.tasks import CONFIG_ROOT
from msbreg_mm.transfer.run import run

CONFIG = """
_base_ = [{base!r}]
pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
loader = dict(batch_size=8, num_workers=0, sampler=dict(type='DefaultSampler'))
dataset = dict(type='CustomDataset', data_root={root!r}, pipeline=pipeline)
train_dataloader = dict(dataset=dict(dataset, data_prefix='train'), **loader)
val_dataloader = dict(dataset=dict(dataset, data_prefix='val'), **loader)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, stem_channels=8, base_channels=4),
    neck=dict(type='GlobalAveragePooling'),
    data_preprocessor=dict(mean=[127.0] * 3, std=[60.0] * 3, to_rgb=True),
)
train_cfg = dict(
    cache_dir={cache!r},
    probes=[
        dict(type='msbreg_mm.KNNProbe', ks=(3,)),
        dict(type='msbreg_mm.LogisticProbe', l2_grid=(1.0, 0.01)),
    ],
)
transfer = dict(
    protocol='tiny: frozen features',
    metrics=[('knn/top1', '3-NN', 1), ('logistic/top1', 'linear', 1)],
)
"""


def write_images(root):
    """Three classes that differ in colour."""
    rng = np.random.default_rng(0)
    for split, count in (('train', 8), ('val', 5)):
        for label, name in enumerate(('blue', 'green', 'red')):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 40, (32, 32, 3))
                pixels[..., label] += 200
                image = Image.fromarray(pixels.astype(np.uint8))
                image.save(folder / f'{index}.png')


def write_backbone(path):
    from msbreg_mm.utils.upstream import import_scope

    import_scope('mmpretrain')
    from mmpretrain.models import ResNet

    torch.manual_seed(77)  # not one of the jobs: equal networks share features
    network = ResNet(depth=18, stem_channels=8, base_channels=4)
    network.init_weights()
    torch.save({'state_dict': network.state_dict()}, path)


@pytest.mark.slow
@pytest.mark.timeout(900)  # five processes: 40 s of CPU time
def test_probes_are_a_task_of_the_suite(tmp_path):
    write_images(tmp_path / 'data')
    write_backbone(tmp_path / 'ours.pth')
    cache = tmp_path / 'cache'
    config = tmp_path / 'probe_tiny.py'
    base = str(CONFIG_ROOT / '_base_' / 'probe_runtime.py')
    config.write_text(
        CONFIG.format(base=base, root=str(tmp_path / 'data'), cache=str(cache))
    )
    options = SuiteOptions(
        checkpoints=['random', f'ours={tmp_path / "ours.pth"}'],
        tasks=[str(config)],
        seeds=[0, 1],
        work_dir=str(tmp_path / 'suite'),
        gpus_per_job=0,
        jobs=2,
    )
    console = Console(file=io.StringIO(), width=200, record=True)
    assert run(options, console) == 0, console.export_text()
    text = console.export_text()
    assert 'tiny: frozen features' in text
    assert '3-NN' in text
    folders = sorted((tmp_path / 'suite' / 'probe_tiny').glob('*/seed*'))
    records = {f'{f.parent.name[:4]}{f.name[-1]}': read_record(f) for f in folders}
    assert sorted(records) == ['ours0', 'ours1', 'rand0', 'rand1']
    for record in records.values():
        assert record.metrics['knn/top1'] > 60  # colours are told apart
        assert {'logistic/top1', 'logistic/l2'} <= set(record.metrics)
        assert record.columns[0] == ('knn/top1', '3-NN', 1.0)
        assert record.schedule['total'] == 1
        assert record.scalars
    ours = records['ours0']
    assert ours.match_report['checkpoint'].endswith('ours.pth')
    # Both seeds see the same network, so its features are computed once: two sets
    # for each of ours, random seed 0 and random seed 1.
    assert ours.metrics['knn/top1'] == records['ours1'].metrics['knn/top1']
    assert len(list(cache.glob('*.npy'))) == 6

    # A lost record: the finished cache makes the rerun, nothing is computed again.
    stamps = {path: path.stat().st_mtime_ns for path in cache.glob('*.npy')}
    (folders[0] / RESULT).unlink()
    assert run(options, console) == 0, console.export_text()
    assert read_record(folders[0]).metrics == ours.metrics
    assert {path: path.stat().st_mtime_ns for path in cache.glob('*.npy')} == stamps
