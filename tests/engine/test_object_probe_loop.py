"""Discovery on real images, through the runner."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope

from msbreg_mm.engine.launch import build_runner
from msbreg_mm.runs.config import LaunchOptions
from msbreg_mm.utils.errors import OptionError

CONFIG = Path(__file__).parents[2] / 'configs/demo/discovery_r18-w16_coco-free.py'


class Start(Hook):
    """Keeps the initialised network."""

    priority = 'LOWEST'

    def before_train(self, runner):
        self.state = {k: v.clone() for k, v in runner.model.state_dict().items()}
        self.training = runner.model.training


@pytest.fixture(autouse=True)
def scope():
    yield
    DefaultScope._instance_dict.clear()


def build(work_dir: Path, data: Path, **options: Any):
    changes = {
        'experiment_name': str(work_dir),
        'log_level': 'ERROR',
        'data_root': f'{data / "coco_free"}/',
        'val_dataloader.dataset.indices': 3,
        **options,
    }
    return build_runner(
        LaunchOptions(str(CONFIG), str(work_dir), seed=0, cfg_options=changes)
    )


def test_corloc_is_logged_and_the_network_is_left_alone(tmp_path, shared_data):
    runner = build(tmp_path, shared_data, **{'train_cfg.probes.1.tau': 0.3})
    start = Start()
    runner.register_hook(start)
    runner.train()
    assert runner.model.training is start.training
    after = runner.model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in start.state.items())
    metrics = {
        key.removeprefix('val/'): data.data[0][-1]
        for key, data in runner.message_hub.log_scalars.items()
        if 'corloc' in key or key.endswith('/images')
    }
    assert metrics['lost/images'] == metrics['token_cut/images'] == 3
    lost, cut = (runner.train_loop.probes[i] for i in range(2))
    assert cut.tau == 0.3
    assert metrics['lost/corloc'] == 100 * sum(lost.hits) / 3
    assert list(lost.boxes) == list(cut.boxes)
    assert all(Path(path).is_file() for path in lost.boxes)


def test_a_probe_of_another_kind_is_an_error(tmp_path, shared_data):
    probes = [{'type': 'msbreg_mm.KNNProbe'}]
    runner = build(tmp_path, shared_data, **{'train_cfg.probes': probes})
    with pytest.raises(OptionError, match=r'KNNProbe is no object probe'):
        runner.train()
