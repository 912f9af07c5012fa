"""A real ablation: tools/train.py pretrains and probes on a few generated images."""

import json

import pytest
from fake_data import write_npz
from rich.console import Console
from test_shipped_ablations import FOLDER

from msbreg_mm.ablation.run import AblateOptions, run

PROBE = """
_base_ = [{base!r}]
train_cfg = dict(
    probes=[dict(type='msbreg_mm.KNNProbe', ks=(5,), temperatures=(0.07,)),
            dict(type='msbreg_mm.GeometryProbe')],
)
transfer = dict(protocol='tiny', metrics=[('knn/top1', '5-NN', 1)])
"""
ABLATION = """
ablation = dict(
    base={base!r},
    changes={{'epochs': 2, 'train_dataloader.batch_size': 12,
             'custom_hooks.1.interval': 1,
             'train_dataloader.dataset.indices': None,
             'default_hooks.logger.interval': 1}},
    variants={{'full': {{}}, 'diverges': {{'optim_wrapper.optimizer.lr': 1e30}},
              'random init': None}},
    reference='random init', seeds=(0,), tasks=['probe.py'],
)
"""


@pytest.mark.slow
def test_real_ablation(tmp_path):
    for split in ('train', 'val'):
        write_npz(tmp_path / f'{split}.npz', 32)
    base = FOLDER / '_base_'
    probe, config = tmp_path / 'probe.py', tmp_path / 'tiny.py'
    probe.write_text(PROBE.format(base=str(base / 'probe_cifar10_32px.py')))
    config.write_text(ABLATION.format(base=str(base / 'msbreg_cifar10.py')))
    root = f'data_root={tmp_path}'
    options = AblateOptions(
        str(config), work_dir=str(tmp_path / 'runs'), gpus_per_job=0,
        cfg_options=[root], task_options=[root],
    )  # fmt: skip
    with (tmp_path / 'out.txt').open('w') as out:
        assert run(options, Console(file=out)) == 1
    content = json.loads((tmp_path / 'runs/ablation.json').read_text())
    full, diverges, random_init = content['variants']
    assert 'FloatingPointError' in diverges['runs'][0]['failure']
    values = full['runs'][0]['values']
    assert 0 <= values['probe/knn/top1'] <= 100
    assert 1 <= values['effective_rank'] <= 12
    assert full['runs'][0]['collapsed'] in (True, False)
    pretraining, evaluation = full['runs'][0]['records']
    assert pretraining['match_report'] == {'checkpoint': 'random'}
    assert evaluation['match_report']['missing'] == 0
    assert evaluation['match_report']['matched'] > 50
    assert 'effective_rank' not in random_init['runs'][0]['values']
    assert 'Online kNN' in (tmp_path / 'runs/ablation.html').read_text()
