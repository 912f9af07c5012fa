import itertools
import math
from pathlib import Path
from typing import Any

import gloo
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch import Tensor
from toy_runner import PAIR, Recorder, ToyModel, scalars, toy_runner

from msbreg_mm.engine.hooks import OnlineProbeHook, TargetEMAHook
from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.online_probe import online_scores

METRICS = ('probe/knn_top1', 'probe/linear_top1', 'probe/effective_rank')
CLASSES = ('a', 'b', 'c')


if 'ToyLabelled' not in DATASETS:

    @DATASETS.register_module()
    class ToyLabelled(BaseDataset):
        """Labelled vectors of three classes."""

        METAINFO = {'classes': CLASSES}

        def __init__(self, images: int, kind: str = 'single', seed: int = 0) -> None:
            self.images, self.kind, self.seed = images, kind, seed
            super().__init__()

        def load_data_list(self) -> list[dict]:
            rng = np.random.default_rng(self.seed)
            rows = []
            for index in range(self.images):
                label: Any = 0 if self.kind == 'one class' else index % 3
                x = 2 * np.eye(3)[index % 3] + rng.normal(size=3)
                if self.kind == 'nan':
                    x = np.full(3, np.nan)
                row = {'inputs': torch.tensor(x, dtype=torch.float32)}
                if self.kind != 'unlabelled':
                    row['gt_label'] = [label] if self.kind == 'several' else label
                rows.append(row)
            return rows


class Probed(ToyModel):
    def extract_feat(self, inputs: Tensor) -> tuple[Tensor]:
        return (self.backbone(inputs),)


def loader(images: int, kind: str = 'single', seed: int = 0, batch: int = 4) -> dict:
    dataset = dict(type='ToyLabelled', images=images, kind=kind, seed=seed)
    return dict(batch_size=batch, dataset=dataset)


def probe(**arguments: Any) -> OnlineProbeHook:
    settings = dict(bank=loader(13), query=loader(7, seed=1), k=3)
    return OnlineProbeHook(**{**settings, **arguments})


def run(folder: Path, *hooks: Hook, **settings: Any) -> Runner:
    settings.setdefault('model', Probed())
    runner = toy_runner(folder, TargetEMAHook(PAIR, momentum=0.8), *hooks, **settings)
    runner.train()
    return runner


def lines(folder: Path) -> list[dict]:
    return [line for line in scalars(folder) if METRICS[0] in line]


def test_scores_the_online_backbone_of_each_epoch(tmp_path: Path) -> None:
    recorder = Recorder()
    run(tmp_path, probe(at_start=True), recorder)
    logged = lines(tmp_path)
    assert [line['step'] for line in logged] == [0, 1, 2]
    states = [recorder.start, recorder.states[3], recorder.states[7]]
    for line, state in zip(logged, states, strict=True):
        model = Probed().eval()
        model.load_state_dict(state)
        sets = []
        for name, seed, images in (('bank', 0, 13), ('query', 1, 7)):
            data = DATASETS.build(dict(type='ToyLabelled', images=images, seed=seed))
            x = torch.stack([data[i]['inputs'] for i in range(images)])
            with torch.no_grad():
                features = model.backbone(x).numpy()
            sets.append(FeatureSet(features, np.arange(images) % 3, CLASSES, name))
        expected = online_scores(*sets, k=3)
        for key, value in expected.items():
            assert line[f'probe/{key}'] == pytest.approx(value, rel=1e-5), key
        assert line['probe/seconds'] > 0


def test_intervals_and_the_message_hub(tmp_path: Path) -> None:
    runner = run(tmp_path / 'a', probe(interval=2, linear=False), epochs=5)
    assert [line['step'] for line in lines(tmp_path / 'a')] == [2, 4, 5]
    assert METRICS[1] not in lines(tmp_path / 'a')[0]
    buffer = runner.message_hub.get_scalar(METRICS[0])
    values = [line[METRICS[0]] for line in lines(tmp_path / 'a')]
    assert buffer.data[0].tolist() == values
    run(tmp_path / 'b', probe(interval=3, by_epoch=False))
    assert [line['step'] for line in lines(tmp_path / 'b')] == [3, 6, 8]


def test_iteration_based_training(tmp_path: Path) -> None:
    loop = dict(type='IterBasedTrainLoop', max_iters=5)

    def runner(**arguments: Any) -> Runner:
        built = toy_runner(tmp_path, probe(interval=2, **arguments), model=Probed())
        built._train_loop = loop
        return built

    with pytest.raises(ValueError, match=r'IterBasedTrainLoop counts iter.*by_epoch=F'):
        runner().train()
    runner(by_epoch=False).train()
    assert [line['step'] for line in lines(tmp_path)] == [2, 4, 5]


def _forced(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    given = iter(values)
    monkeypatch.setattr(
        OnlineProbeHook,
        '_score',
        lambda self, *_, **__: dict.fromkeys(self.metrics, next(given)),
    )


@pytest.mark.parametrize(
    'save_best', ['probe/knn_top1', 'auto', 'probe/effective_rank']
)
def test_saves_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_best: str
) -> None:
    _forced(monkeypatch, [10.0, 30.0, math.nan, 20.0])
    recorder = Recorder()
    checkpoint = dict(save_best=save_best, rule='greater')
    runner = run(tmp_path, probe(), recorder, epochs=4, checkpoint=checkpoint)
    name = 'probe/knn_top1' if save_best == 'auto' else save_best
    (best,) = tmp_path.glob('best_*.pth')
    assert best.name == f'best_{name.replace("/", "_")}_epoch_2.pth'
    saved = torch.load(best, weights_only=False)
    assert (saved['meta']['epoch'], saved['meta']['iter']) == (2, 8)
    for key, value in recorder.states[7].items():
        assert torch.equal(saved['state_dict'][key], value), key
    assert runner.message_hub.get_info('best_score') == 30
    for epoch in (1, 2, 3, 4):  # nothing else was overwritten
        saved = torch.load(tmp_path / f'epoch_{epoch}.pth', weights_only=False)
        assert (saved['meta']['epoch'], saved['meta']['iter']) == (epoch, 4 * epoch)
        for key, value in recorder.states[4 * epoch - 1].items():
            assert torch.equal(saved['state_dict'][key], value), (epoch, key)
        assert 'optimizer' in saved


def test_saves_the_best_of_several_metrics(tmp_path: Path) -> None:
    checkpoint = dict(save_best=list(METRICS), rule='greater')
    run(tmp_path, probe(), checkpoint=checkpoint)
    assert len(list(tmp_path.glob('best_probe_*.pth'))) == 3


def test_saves_the_best_by_iteration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _forced(monkeypatch, [10.0, 30.0, 20.0])
    recorder = Recorder()
    checkpoint = dict(by_epoch=False, interval=3, save_best='probe/knn_top1')
    hook = probe(by_epoch=False, interval=3)
    run(tmp_path, hook, recorder, checkpoint=checkpoint)
    saved = torch.load(tmp_path / 'best_probe_knn_top1_iter_6.pth', weights_only=False)
    for key, value in recorder.states[5].items():
        assert torch.equal(saved['state_dict'][key], value), key


def test_resumes_with_the_best_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _forced(monkeypatch, [30.0, 20.0, 20.0, 40.0])
    checkpoint = dict(save_best='probe/knn_top1')
    with pytest.raises(KeyboardInterrupt):  # before the second probe
        run(tmp_path, probe(), Recorder(stop_after=2), checkpoint=checkpoint)
    assert (tmp_path / 'best_probe_knn_top1_epoch_1.pth').exists()
    run(tmp_path, probe(), epochs=4, resume=True, checkpoint=checkpoint)
    # What was cut off is made up for.
    assert [line['step'] for line in lines(tmp_path)] == [2, 3, 4]
    (best,) = tmp_path.glob('best_*.pth')
    assert best.name == 'best_probe_knn_top1_epoch_4.pth'


def test_impossible_ways_to_save_the_best(tmp_path: Path) -> None:
    def start(hook: OnlineProbeHook, **checkpoint: Any) -> None:
        checkpoint = dict(rule='greater', **checkpoint)
        run(tmp_path / str(next(_folders)), hook, checkpoint=checkpoint)

    with pytest.raises(ValueError, match=r"'probe/top1'.*gives probe/knn_top1, probe"):
        start(probe(), save_best='probe/top1')
    with pytest.raises(ValueError, match='no other metric can stand beside'):
        start(probe(), save_best=['probe/knn_top1', 'accuracy'])
    with pytest.raises(ValueError, match='gives probe/knn_top1, probe/effective_rank,'):
        start(probe(linear=False), save_best='probe/linear_top1')
    with pytest.raises(ValueError, match='both must be the same'):
        start(probe(by_epoch=False, interval=3), save_best='probe/knn_top1')
    start(probe(), save_best='accuracy')  # of no concern to the probe


def test_a_validation_loop_and_the_best_of_the_probe_exclude_each_other(
    tmp_path: Path,
) -> None:
    settings = dict(
        val_dataloader=dict(
            batch_size=4, sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(type='ToyLabelled', images=4),
        ),
        val_cfg={}, val_evaluator=dict(type='Evaluator', metrics=[]),
    )  # fmt: skip
    with pytest.raises(ValueError, match='set val_cfg, val_dataloader and val_eval'):
        run(tmp_path, probe(), checkpoint=dict(save_best=METRICS[0]), **settings)


_folders = itertools.count()


def test_diverged_features_warn_and_log_nan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(MMLogger, 'warning', lambda _, text: warnings.append(text))
    hook = probe(query=loader(7, 'nan'))
    runner = run(tmp_path, hook, checkpoint=dict(save_best='probe/knn_top1'))
    assert runner.iter == 8  # trained to the end
    for line in lines(tmp_path):
        assert all(math.isnan(line[key]) for key in METRICS)
    assert not list(tmp_path.glob('best_*'))
    found = [text for text in warnings if 'Online probe' in text]
    assert len(found) == 2
    assert '7 of 20 features are NaN or infinite: the training has div' in found[0]


def test_bad_arguments() -> None:
    for name in ('interval', 'k', 'max_iter'):
        with pytest.raises(ValueError, match=f'{name} must be at least 1, got 0'):
            probe(**{name: 0})
    for name in ('temperature', 'cost'):
        with pytest.raises(ValueError, match='temperature and cost must be positive'):
            probe(**{name: 0})
    with pytest.raises(
        ValueError, match=r"query of .* needs dataset and batch_size.*\['"
    ):
        probe(query=dict(batch_size=4))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(bank=loader(13, 'unlabelled')), r'Hook\.bank: image 0 .* has no label'),
        (dict(query=loader(7, 'unlabelled')), r'Hook\.query: image 0 .* has no label'),
        (dict(bank=loader(9, 'several')), 'several'),
        (dict(bank=loader(9, 'one class')), r"2 of 3 classes \('b', 'c'\) have no im"),
        (dict(k=14), 'has 13 images, fewer than k=14 neighbours'),
    ],
)  # fmt: skip
def test_bad_data_ends_the_run_before_it_trains(
    tmp_path: Path, arguments: dict, message: str
) -> None:
    recorder = Recorder()
    with pytest.raises(ValueError, match=message):
        run(tmp_path, probe(**arguments), recorder)
    assert not recorder.states


def test_a_model_without_features(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='ToyModel has no extract_feat'):
        run(tmp_path, probe(), model=ToyModel())


def _train_on_rank(folder: Path, with_probe: bool) -> dict:
    """Train on this rank; return what it knows at the end."""
    hooks = [probe(bank=loader(13, batch=3))] if with_probe else []
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None)
    runner = run(
        folder,
        *hooks,
        launcher='pytorch',
        checkpoint=dict(save_best='probe/knn_top1' if with_probe else None),
        cfg=dict(model_wrapper_cfg=wrapper),
    )
    hub = runner.message_hub
    state = runner.model.module.state_dict()
    known: dict = {'state': {key: value.clone() for key, value in state.items()}}
    if with_probe:
        known['metrics'] = [hub.get_scalar(key).data[0].tolist() for key in METRICS]
        known['best'] = hub.get_info('best_score')
        runner.model.eval()
        known['features'] = hooks[0]._features(runner, 'bank')
        x = torch.stack([row['inputs'] for row in hooks[0]._loaders['bank'].dataset])
        with torch.no_grad():
            known['expected'] = runner.model.module.backbone(x).numpy()
    return known


def _train_twice_on_rank(folder: Path) -> tuple[dict, dict]:
    return tuple(_train_on_rank(folder / str(p), p) for p in (True, False))


@pytest.mark.dist
def test_two_processes(tmp_path: Path) -> None:
    ranks = gloo.run(_train_twice_on_rank, tmp_path)
    first, second = (probed for probed, _ in ranks)
    assert first['metrics'] == second['metrics']
    assert first['best'] == second['best']
    assert len(list((tmp_path / 'True').glob('best_*.pth'))) == 1
    # Batch statistics differ; scored is what the first rank saves.
    key = 'backbone.1.running_mean'
    assert not torch.equal(first['state'][key], second['state'][key])
    for known in (first, second):
        np.testing.assert_allclose(known['features'], first['expected'], rtol=1e-4)
    for probed, plain in ranks:
        for key, value in plain['state'].items():
            assert torch.equal(value, probed['state'][key]), key
