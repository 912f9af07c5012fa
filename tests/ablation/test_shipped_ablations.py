"""The shipped ablations: short files, valid changes, variants that train."""

import io
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from msbreg_mm.ablation.spec import load_ablation
from msbreg_mm.transfer.tasks import resolve_tasks

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


def write_pack(folder, images=32):
    """Write train.npz and val.npz of encoded images, as the cifar10_24k pack has."""
    rng = np.random.default_rng(0)
    encoded = []
    for _ in range(images):
        stream = io.BytesIO()
        pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(stream, 'JPEG')
        encoded.append(np.frombuffer(stream.getvalue(), np.uint8))
    offset = np.cumsum([0, *(len(image) for image in encoded)])
    for name in ('train.npz', 'val.npz'):
        np.savez(
            folder / name,
            jpeg=np.concatenate(encoded),
            offset=offset,
            label=np.arange(images) % 2,
        )


@pytest.mark.slow
@pytest.mark.parametrize('path', SHIPPED, ids=IDS)
def test_every_variant_trains(path, tmp_path):
    from mmengine.runner import Runner

    from msbreg_mm.engine.launch import LaunchOptions, resolve_config

    write_pack(tmp_path)
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
        assert np.isfinite(scalars['train/loss'].current()), variant.name
        assert scalars['train/effective_rank'].current() >= 1, variant.name
