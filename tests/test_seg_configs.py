"""Every segmentation config trains two iterations and is scored, in its own layout."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision
from fake_seg_data import write_seg_dataset
from mmengine.config import Config

from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.engine.launch import build_runner, run_test
from msbreg_mm.reports.published import published_rows
from msbreg_mm.runs.config import LaunchOptions
from msbreg_mm.runs.settings import parse_options
from msbreg_mm.suite.plan import plan_jobs
from msbreg_mm.suite.recording import make_record, read_final_log
from msbreg_mm.suite.tasks import load_task

pytest.importorskip('mmseg')

ROOT = Path(__file__).parents[1] / 'configs'
FILES = {p.stem: p for p in sorted(ROOT.rglob('fcn_*.py')) if '_base_' not in p.parts}
R50 = [name for name in FILES if '_r50' in name]
DEFAULT = {'fcn_r50-d8_20k_voc12aug', 'fcn_r50-d16_90k-frozen_cityscapes'}
SMALL = {
    'crop_size': '(65,65)',
    'size': '(65,65)',
    'stride': '(33,33)',
    'scale': '(128,64)',
    'num_workers': '0',
    'persistent_workers': 'False',
    'max_iters': '2',
    'val_interval': '2',
}


def shrink(node, prefix=''):
    """``key=value`` for every size and length of the config."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, value in items:
        if key in SMALL:
            found.append(f'{prefix}{key}={SMALL[key]}')
        elif isinstance(value, dict | list) and key != 'param_scheduler':
            found += shrink(value, f'{prefix}{key}.')
    return found


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A ResNet-50 in torchvision's layout, with its classifier."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('checkpoint') / 'r50.pth'
    torch.save(torchvision.models.resnet50(weights=None).state_dict(), path)
    return path


def write_data(cfg, root):
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        for dataset in loader.dataset.get('datasets', [loader.dataset]):
            write_seg_dataset(dataset, root)


def plan(name, checkpoint, tmp_path):
    config = FILES[name]
    cfg = Config.fromfile(config, import_custom_modules=False)
    write_data(cfg, tmp_path / 'data')
    parts = ('model', 'train_cfg', 'train_dataloader', 'val_dataloader')
    options = [o for part in parts for o in shrink(cfg[part].to_dict(), f'{part}.')]
    # Visualizers are kept by name for the whole process.
    options += ['train_dataloader.batch_size=2', 'auto_scale_lr.base_batch_size=2']
    options += [f'visualizer.name={name}']
    options += [f'data_root={tmp_path / "data"}']
    refs = parse_checkpoints([f'r50={checkpoint}'])
    (job,) = plan_jobs([load_task(config)], refs, [0], tmp_path / 'suite', options)
    return job, LaunchOptions(
        config=str(config),
        work_dir=str(job.folder),
        checkpoint=str(checkpoint),
        seed=0,
        cfg_options=parse_options(options),
    )


@pytest.mark.parametrize(
    'name',
    [n if n in DEFAULT else pytest.param(n, marks=pytest.mark.slow) for n in R50],
)
def test_two_iterations_and_a_record(name, checkpoint, tmp_path):
    job, options = plan(name, checkpoint, tmp_path)
    runner = build_runner(options)
    head = runner.model.decode_head.conv_seg.weight.detach().clone()
    runner.train()
    assert not torch.equal(runner.model.decode_head.conv_seg.weight, head)

    # The stem and the blocks are those of torchvision: every key has its place.
    report = json.loads((job.folder / 'checkpoint_report.json').read_text())
    assert (len(report['matched']), report['missing'], report['unexpected']) == (
        318, [], [],
    )  # fmt: skip
    source = torch.load(checkpoint, weights_only=True)
    trained = runner.model.backbone.state_dict()
    same = [key for key, value in trained.items() if torch.equal(value, source[key])]
    assert (len(same) == len(trained)) is ('-frozen_' in name)

    # The suite reads the iteration and the percentage as they are.
    log = read_final_log(job)
    assert [position for position, _ in log.val] == [2]
    record = make_record(job, (), 1.0, 'now')
    assert record.columns == [('mIoU', 'mIoU', 1.0)]
    (scalars,) = job.folder.glob('*/vis_data/scalars.json')
    last = json.loads(scalars.read_text().splitlines()[-1])
    assert record.metrics['mIoU'] == last['mIoU']
    assert 0 <= last['mIoU'] < last['aAcc'] <= 100


def test_published_rows_stand_beside_their_own_recipe_only():
    rows = {name: published_rows(load_task(FILES[name]).protocol) for name in FILES}
    assert [name for name in FILES if rows[name]] == ['fcn_r50-d8_20k_voc12aug']
    byol = rows['fcn_r50-d8_20k_voc12aug'][0]
    assert (byol.name.split()[0].rstrip(','), byol.values) == ('BYOL', {'mIoU': 67.16})


def test_frozen_variant_of_each():
    frozen = {name for name in R50 if ('-frozen_' in name)}
    assert {name.replace('-frozen', '') for name in frozen} == set(R50) - frozen


def test_nuclei_demo(tmp_path):
    """Instance numbers become one class; 255 stays ignored."""
    job, options = plan('fcn_r18-w16_400i_nuclei', 'random', tmp_path)
    runner = build_runner(options)
    dataset = runner.build_dataloader(runner.cfg.val_dataloader).dataset
    mask = dataset[1]['data_samples'].gt_sem_seg.data[0]
    assert mask.shape == (72, 96)
    assert mask.unique().tolist() == [0, 1, 255]
    assert torch.equal(mask == 1, block(mask.shape))
    runner.train()
    metrics = make_record(job, (), 1.0, 'now').metrics
    assert 0 <= metrics['mIoU'] <= 100
    # tools/test.py gives the same numbers, and writes them
    names = {**options.cfg_options, 'visualizer.name': 'scored'}
    out = tmp_path / 'metrics.json'
    again = replace(options, checkpoint=None, cfg_options=names)
    scored = run_test(again, str(job.folder / 'iter_2.pth'), str(out))
    assert json.loads(out.read_text()) == scored
    assert scored['mIoU'] == metrics['mIoU']


def block(shape):
    """Where fake_seg_data draws its object."""
    inside = torch.zeros(shape, dtype=torch.bool)
    inside[12:48, 12:58] = True
    return inside
