"""Every segmentation config trains two iterations and is scored, in its own layout."""

import json
from pathlib import Path

import pytest
import torch
import torchvision
from fake_seg_data import write_cityscapes, write_voc_seg
from mmengine.config import Config

from msbreg_mm.engine.launch import LaunchOptions, build_runner
from msbreg_mm.transfer.plan import parse_checkpoints, plan_jobs
from msbreg_mm.transfer.published import published_rows
from msbreg_mm.transfer.record import make_record, read_final_log
from msbreg_mm.transfer.settings import parse_options
from msbreg_mm.transfer.tasks import load_task

pytest.importorskip('mmseg')

FOLDER = Path(__file__).parents[1] / 'configs' / 'transfer' / 'seg'
CONFIGS = sorted(path.stem for path in FOLDER.glob('*.py'))
DEFAULT = {'fcn_r50-d8_20k_voc12aug', 'fcn_r50-d16_90k_cityscapes_frozen'}
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


def plan(name, checkpoint, tmp_path):
    write = write_voc_seg if 'voc' in name else write_cityscapes
    config = FOLDER / f'{name}.py'
    cfg = Config.fromfile(config, import_custom_modules=False)
    parts = ('model', 'train_cfg', 'train_dataloader', 'val_dataloader')
    options = [o for part in parts for o in shrink(cfg[part].to_dict(), f'{part}.')]
    # Visualizers are kept by name for the whole process.
    options += ['train_dataloader.batch_size=2', f'visualizer.name={name}']
    options += [f'data_root={write(tmp_path / "data")}']
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
    [n if n in DEFAULT else pytest.param(n, marks=pytest.mark.slow) for n in CONFIGS],
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
    assert (len(same) == len(trained)) is name.endswith('_frozen')

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
    rows = {
        name: published_rows(load_task(FOLDER / f'{name}.py').protocol)
        for name in CONFIGS
    }
    assert [name for name in CONFIGS if rows[name]] == ['fcn_r50-d8_20k_voc12aug']
    byol = rows['fcn_r50-d8_20k_voc12aug'][0]
    assert (byol.name.split()[0].rstrip(','), byol.values) == ('BYOL', {'mIoU': 67.16})


def test_frozen_variant_of_each():
    assert {n for n in CONFIGS if f'{n}_frozen' not in CONFIGS} == {
        n for n in CONFIGS if n.endswith('_frozen')
    }
