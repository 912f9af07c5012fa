"""The public face: what ``from msbreg_mm import …`` gives."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import msbreg_mm
from msbreg_mm import extract_features, read_report, read_suite, run_suite
from msbreg_mm.utils.errors import InputError, MissingInputError, MissingPackageError


def test_importing_is_cheap_and_all_names_are_there():
    code = (
        'import sys, msbreg_mm; '
        'from msbreg_mm import run_suite, extract_features; '
        'print([m for m in ("torch", "mmcv", "mmpretrain") if m in sys.modules])'
    )
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert run.stdout == '[]\n', run.stderr
    for name in msbreg_mm.__all__:
        assert getattr(msbreg_mm, name).__doc__
    assert set(msbreg_mm.__all__) <= set(dir(msbreg_mm))
    with pytest.raises(AttributeError, match='no_such_name'):
        msbreg_mm.no_such_name  # noqa: B018


def test_features_are_those_of_the_network(tiny_set, tiny_checkpoint):
    found = extract_features(tiny_set, tiny_checkpoint, max_images=6, batch_size=4)
    assert found.values.shape == (6, 64)
    assert found.values.dtype == np.float32
    assert len(found.labels) == len(found.indices) == 6
    assert found.report['missing'] == []
    from msbreg_mm.datasets.sample import sample_images
    from msbreg_mm.runs.config import LaunchOptions, resolve_config

    cfg = resolve_config(LaunchOptions(str(tiny_set)))
    sample = sample_images(cfg, 'val', 6, 0)
    from mmpretrain.models import ResNet

    net = ResNet(18, stem_channels=8, base_channels=8)
    net.eval()
    state = torch.load(tiny_checkpoint)['state_dict']
    net.load_state_dict(
        {k[9:]: v for k, v in state.items() if k.startswith('backbone.')}
    )
    x = sample.images.flip(1).float() - torch.tensor([120.0, 110, 100]).view(3, 1, 1)
    with torch.no_grad():
        expected = net(x / 60)[-1].mean((2, 3))
    np.testing.assert_allclose(found.values, expected.numpy(), rtol=1e-3, atol=1e-4)
    other = extract_features(tiny_set, max_images=6, seed=1)
    assert not np.allclose(other.values, found.values)
    with pytest.raises(InputError, match='no test_dataloader'):
        extract_features(tiny_set, split='test')


def test_a_suite_and_its_tables(task_config, backbone, trainer, tmp_path, capsys):
    work_dir = tmp_path / 'suite'
    options = dict(
        work_dir=work_dir,
        quiet=True,
        command=trainer.command,
        gpus_per_job=0,
        skip_preflight=True,
    )
    suite = run_suite(['random', f'ours={backbone}'], [task_config], [0], **options)
    assert capsys.readouterr().out == ''
    assert [record.checkpoint for record in suite.records] == ['ours', 'random']
    (table,) = suite.tables
    assert [row.name for row in table.rows] == ['random', 'ours']
    assert suite.failures == suite.damaged == {}
    rows = suite.rows()
    assert [row['metric'] for row in rows] == ['box AP', 'mask AP'] * 2
    assert rows[2]['value'] == pytest.approx(40.0)
    again = read_suite(work_dir)
    assert again.rows() == rows
    data = read_report(work_dir)
    assert data['tables'][0]['checkpoints'][1]['name'] == 'ours'
    assert read_report(work_dir / 'table.json') == data


def test_a_data_frame(task_config, trainer, tmp_path, monkeypatch):
    options = dict(
        quiet=True,
        command=trainer.command,
        gpus_per_job=0,
        skip_preflight=True,
    )
    suite = run_suite(['random'], [task_config], [0], tmp_path / 'suite', **options)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, 'pandas', None)
        with pytest.raises(MissingPackageError, match='pip install pandas'):
            suite.to_pandas()
    pytest.importorskip('pandas')
    frame = suite.to_pandas()
    assert list(frame.columns[-2:]) == ['metric', 'value']
    assert frame.pivot_table('value', 'checkpoint', 'metric').loc[
        'random', 'box AP'
    ] == pytest.approx(30.0)


def test_missing_folders(tmp_path):
    with pytest.raises(MissingInputError, match='no folder'):
        read_suite(tmp_path / 'no')
    with pytest.raises(MissingInputError, match=r'none of table\.json'):
        read_report(tmp_path)
