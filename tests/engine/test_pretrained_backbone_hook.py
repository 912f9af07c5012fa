import copy
import json
from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torchvision.models import resnet18, resnet34
from toy_runner import Recorder, toy_runner

from msbreg_mm.checkpoints import CheckpointError
from msbreg_mm.engine.hooks import PretrainedBackboneHook, TargetEMAHook

REPORT = 'checkpoint_report.json'


class ResNetModel(BaseModel):
    """A ResNet-18 of which only the first filter is used, to be quick."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = resnet18()
        self.backbone.fc = nn.Identity()
        self.target_backbone = copy.deepcopy(self.backbone).requires_grad_(False)

    def forward(self, inputs: list[Tensor], mode: str = 'loss') -> dict[str, Tensor]:
        weight = self.backbone.conv1.weight[0].sum()
        return {'loss': (torch.stack(inputs) * weight).square().mean()}


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp('weights') / 'resnet18.pth'
    torch.save(resnet18().state_dict(), path)
    return path


def test_fills_the_backbone_and_reports(tmp_path: Path, checkpoint: Path) -> None:
    recorder = Recorder()
    ema = TargetEMAHook(pairs=[('backbone', 'target_backbone')])
    hook = PretrainedBackboneHook(str(checkpoint))
    # Listed last, the backbone is filled before the target is copied from it.
    runner = toy_runner(tmp_path, recorder, ema, hook, model=ResNetModel(), epochs=1)
    runner.train()
    for key, value in torch.load(checkpoint, weights_only=True).items():
        if not key.startswith('fc.'):
            assert torch.equal(recorder.start[f'backbone.{key}'], value), key
            assert torch.equal(recorder.start[f'target_backbone.{key}'], value), key
    report = json.loads((tmp_path / REPORT).read_text())
    assert report['checkpoint'] == str(checkpoint)
    assert report['arch'] == 'resnet18'
    assert len(report['matched']) >= 100
    assert not report['missing']
    assert not report['partial']


def test_a_resumed_run_keeps_its_weights(tmp_path: Path, checkpoint: Path) -> None:
    toy_runner(tmp_path, model=ResNetModel(), epochs=1).train()
    trained = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)['state_dict']
    recorder = Recorder()
    runner = toy_runner(
        tmp_path,
        PretrainedBackboneHook(str(checkpoint)),
        recorder,
        model=ResNetModel(),
        resume=True,
    )
    runner.train()
    torch.testing.assert_close(recorder.start, dict(trained), rtol=0, atol=0)
    assert not (tmp_path / REPORT).exists()


def test_random_is_said(tmp_path: Path) -> None:
    recorder, model = Recorder(), ResNetModel()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    hook = PretrainedBackboneHook('random')
    toy_runner(tmp_path, hook, recorder, model=model, epochs=1).train()
    torch.testing.assert_close(recorder.start, before, rtol=0, atol=0)
    assert json.loads((tmp_path / REPORT).read_text()) == {'checkpoint': 'random'}


def test_another_architecture_stops_the_run(tmp_path: Path) -> None:
    path = tmp_path / 'resnet34.pth'
    torch.save(resnet34().state_dict(), path)
    work_dir = tmp_path / 'run'
    hook = PretrainedBackboneHook(str(path))
    with pytest.raises(CheckpointError, match='resnet34'):
        toy_runner(work_dir, hook, model=ResNetModel()).train()
    assert not (work_dir / REPORT).exists()


def test_a_part_has_to_be_asked_for(tmp_path: Path, checkpoint: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    path = tmp_path / 'part.pth'
    torch.save({k: v for k, v in state.items() if k != 'layer4.1.bn2.bias'}, path)
    with pytest.raises(CheckpointError, match=r'layer4\.1\.bn2\.bias'):
        toy_runner(
            tmp_path, PretrainedBackboneHook(str(path)), model=ResNetModel()
        ).train()
    hook = PretrainedBackboneHook(str(path), allow_partial=True)
    toy_runner(tmp_path, hook, model=ResNetModel(), epochs=1).train()
    report = json.loads((tmp_path / REPORT).read_text())
    assert report['partial']
    assert report['missing'] == ['layer4.1.bn2.bias']


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='checkpoint is empty'):
        PretrainedBackboneHook('')
    absent = str(tmp_path / 'absent.pth')
    with pytest.raises(FileNotFoundError, match=r'absent\.pth; pass a file'):
        PretrainedBackboneHook(absent)
