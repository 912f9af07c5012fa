"""The shipped ablations: short files, valid changes, variants that train."""

from math import isfinite
from pathlib import Path

import pytest
from fake_data import write_npz
from mmengine.config import Config

from msbreg_mm.ablation.spec import load_ablation
from msbreg_mm.suite.tasks import resolve_tasks

FOLDER = Path(__file__).parents[2] / 'configs' / 'ablations'
SHIPPED = sorted(FOLDER.glob('*.py'))
IDS = [path.stem for path in SHIPPED]


@pytest.mark.parametrize('path', SHIPPED, ids=IDS)
def test_shipped_ablation_is_short_and_valid(path):
    assert len(path.read_text().splitlines()) < 25
    ablation = load_ablation(path)
    assert ablation.description
    assert ablation.reference
    assert len(ablation.seeds) >= 3
    assert resolve_tasks(ablation.tasks)


def test_example_of_the_docs(tmp_path):
    text = (FOLDER.parents[1] / 'docs' / 'ablations.md').read_text()
    example = text.partition('```python\n')[2].partition('```')[0]
    assert len(example.splitlines()) < 25
    path = tmp_path / 'example.py'
    path.write_text(example.replace("'_base_/", f"'{FOLDER}/_base_/"))
    ablation = load_ablation(path)
    assert len(ablation.variants) == 9
    assert resolve_tasks(ablation.tasks)


@pytest.mark.slow
@pytest.mark.parametrize('path', SHIPPED, ids=IDS)
def test_every_variant_trains(path, tmp_path):
    from mmengine.runner import Runner

    from msbreg_mm.runs.config import LaunchOptions, resolve_config

    for split in ('train', 'val'):
        write_npz(tmp_path / f'{split}.npz', 32)
    variants = [v for v in load_ablation(path).variants if v.base is not None]
    if len(variants) > 12:  # methods: each with all regularisers and with none
        variants = [v for v in variants if v.name.endswith(('none', 'both'))]
    for variant in variants:
        cfg = variant.config()
        # mmcv's loggers and hooks are named by the experiment, once per process.
        cfg.update(experiment_name=f'{path.stem}-{variant.slug}', visualizer=None)
        file = tmp_path / f'{variant.slug}.py'
        Config(cfg).dump(file)
        options = {
            'data_root': str(tmp_path),
            'train_dataloader.batch_size': 16,  # divides MoCo's queue
            'train_dataloader.dataset.indices': None,
            'train_cfg.max_epochs': 1,
            'param_scheduler': None,
        }
        cfg = resolve_config(
            LaunchOptions(str(file), str(tmp_path / variant.slug), cfg_options=options)
        )
        for hook in cfg.custom_hooks:
            if hook.type == 'msbreg_mm.EmbeddingMonitorHook':
                hook.interval = 1
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert runner.iter == 2
        scalars = runner.message_hub.log_scalars
        assert isfinite(scalars['train/loss'].current()), variant.name
        assert scalars['train/effective_rank'].current() >= 1, variant.name
