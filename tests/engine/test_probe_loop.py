import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import gloo
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.hooks import Hook
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.runner import Runner
from torch import nn

from msbreg_mm.engine.probe_loop import ProbeLoop
from msbreg_mm.evaluation.probes.base import Probe
from msbreg_mm.registry import PROBES

_numbers = itertools.count()


@PROBES.register_module()
class ToyProbe(Probe):
    """Keeps what it gets."""

    name = 'toy'
    seen: list = []

    def __call__(self, train, val, seed):
        self.seen.append((train, val, seed))
        return {'toy/mean': float(val.features.mean()), 'toy/seed': float(seed)}


class ToyImages(BaseDataset):
    METAINFO = dict(classes=('a', 'b', 'c'))

    def __init__(self, count=10, shift=0.0, **kwargs):
        self.count, self.shift = count, shift
        super().__init__(serialize_data=False, **kwargs)

    def load_data_list(self):
        return [
            dict(gt_label=i % 3, value=i + self.shift, img_path=f'{i + self.shift}')
            for i in range(self.count)
        ]

    def prepare_data(self, idx):
        return dict(inputs=torch.full((3,), float(self.get_data_info(idx)['value'])))


class ToyNetwork(BaseModel):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.seen = []

    def init_weights(self):
        torch.manual_seed(0)
        self.backbone[0].reset_parameters()

    def extract_feat(self, inputs):
        inputs = torch.stack(inputs)
        self.seen.append((len(inputs), self.training, torch.is_grad_enabled()))
        return (self.backbone(inputs),)

    def forward(self, inputs, mode='loss'):
        raise AssertionError('nothing is trained or predicted')


class Log(Hook):
    def __init__(self):
        self.calls = []

    def __getattribute__(self, name):
        if name.startswith(('before_', 'after_')):
            self.calls.append(name)
        return super().__getattribute__(name)


def make_runner(work_dir, model=None, probes=None, train=None, val=None, **settings):
    loop = dict(
        type='msbreg_mm.ProbeLoop',
        probes=[dict(type='msbreg_mm.ToyProbe')] if probes is None else probes,
        cache_dir=str(work_dir.parent / 'cache'),
    )
    loop.update(settings.pop('loop', {}))
    loader = dict(batch_size=4, num_workers=0)
    sampler = dict(type='DefaultSampler', shuffle=True)
    validation = dict(
        val_dataloader=dict(
            dataset=val or ToyImages(7, 0.5), sampler=sampler, **loader
        ),
        val_cfg=dict(),
        val_evaluator=dict(type='Evaluator', metrics=[]),
    )
    if settings.pop('without_val', False):
        validation = {}
    return Runner(
        model=model or ToyNetwork(),
        work_dir=str(work_dir),
        train_dataloader=dict(dataset=train or ToyImages(), sampler=sampler, **loader),
        train_cfg=loop,
        optim_wrapper=dict(
            type=settings.pop('wrapper', 'OptimWrapper'),
            optimizer=dict(type='SGD', lr=0.0),
        ),
        default_hooks=dict(checkpoint=None),
        randomness=dict(seed=5),
        experiment_name=f'probe{next(_numbers)}',
        log_level='ERROR',
        **validation,
        **settings,
    )


@pytest.fixture(autouse=True)
def _forget():
    ToyProbe.seen.clear()


def scalars(work_dir):
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_validation_after_one_epoch(tmp_path):
    log, model = Log(), ToyNetwork()
    runner = make_runner(tmp_path / 'work', model, custom_hooks=[log])
    runner.train()
    ((train, val, seed),) = ToyProbe.seen
    assert seed == 5
    assert scalars(tmp_path / 'work') == [
        {'toy/mean': float(val.features.mean()), 'toy/seed': 5.0, 'step': 1}
    ]
    stages = ['before_train', 'before_val', 'before_val_epoch', 'after_val_epoch']
    stages += ['after_val', 'after_train']
    called = [c for c in log.calls if c in stages]
    assert [c for c, _ in itertools.groupby(called)][-6:] == stages
    assert not [c for c in log.calls if c.endswith('_iter') and 'val' in c]
    # Every image once and in order, though both samplers shuffle.
    assert train.labels.tolist() == [i % 3 for i in range(10)]
    assert len(val) == 7
    model.eval()
    with torch.no_grad():
        x = torch.arange(10.0)[:, None].expand(-1, 3)
        np.testing.assert_allclose(train.features, model.backbone(x), rtol=1e-5)
    assert train.classes == ('a', 'b', 'c')
    assert train.name.startswith('train (')


def test_network_is_frozen_and_in_evaluation_mode(tmp_path):
    model = ToyNetwork()
    runner = make_runner(tmp_path / 'work', model)
    model.init_weights()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.train()
    runner.train()
    assert {(training, grad) for _, training, grad in model.seen} == {(False, False)}
    assert model.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key


def images_seen(model):
    return sum(count for count, _, _ in model.seen)


class Change(Hook):
    """Loads a checkpoint, so to speak."""

    def before_train(self, runner):
        with torch.no_grad():
            runner.model.backbone[0].weight[0, 0] = 3.0


def test_features_are_taken_from_the_cache(tmp_path):
    first, second, other = ToyNetwork(), ToyNetwork(), ToyNetwork()
    make_runner(tmp_path / 'a', first).train()
    make_runner(tmp_path / 'b', second).train()
    # Of a set whose features are there one image is looked at, for their number.
    assert images_seen(first) == 10 + 7 + 2
    assert images_seen(second) == 2
    np.testing.assert_array_equal(
        ToyProbe.seen[0][0].features, ToyProbe.seen[1][0].features
    )
    assert scalars(tmp_path / 'a') == scalars(tmp_path / 'b')
    make_runner(tmp_path / 'c', other, custom_hooks=[Change()]).train()
    assert images_seen(other) == 10 + 7 + 2
    assert len(list((tmp_path / 'cache').glob('*.npy'))) == 4


def test_what_is_computed_is_in_the_key(tmp_path):
    def files(name, **settings):
        make_runner(tmp_path / name, **settings).train()
        return len(list((tmp_path / 'cache').glob('*.npy')))

    def cfg(**model):
        return Config(dict(model=dict(backbone=dict(type='X'), **model)))

    assert files('a') == 2
    assert files('b', train=ToyImages(9)) == 3
    assert files('c', val=ToyImages(7, 1.5)) == 4
    assert files('d', wrapper='msbreg_mm.CPUAmpOptimWrapper') == 6
    assert files('e', cfg=cfg()) == 8
    assert files('f', cfg=cfg(data_preprocessor=dict(mean=[1.0]))) == 10
    notes = [json.loads(p.read_text()) for p in (tmp_path / 'cache').glob('*.json')]
    precisions = {note['precision'] for note in notes}
    assert precisions == {'cpu torch.float32', 'cpu torch.bfloat16'}


def test_place_of_the_cache(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_runner(tmp_path / 'a', loop=dict(cache_dir='')).train()
    assert not list(tmp_path.rglob('*.npy'))
    assert not list((tmp_path / 'a').glob('features-*'))
    make_runner(tmp_path / 'b', loop=dict(cache_dir=None)).train()
    assert len(list((tmp_path / 'work_dirs' / '.features').glob('*.npy'))) == 2
    monkeypatch.setenv('MSBREG_FEATURE_CACHE', str(tmp_path / 'env'))
    make_runner(tmp_path / 'c', loop=dict(cache_dir=None)).train()
    assert len(list((tmp_path / 'env').glob('*.npy'))) == 2


def test_parts_of_a_concatenation(tmp_path):
    both = ConcatDataset([ToyImages(6), ToyImages(3, 0.25)])
    make_runner(tmp_path / 'work', train=both).train()
    assert ToyProbe.seen[0][0].parts == (6, 3)
    assert ToyProbe.seen[0][0].labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2]
    assert ToyProbe.seen[0][1].parts == ()


def test_knn_probe_by_name(tmp_path):
    probes = [
        dict(type='msbreg_mm.KNNProbe', ks=(1,)),
        dict(type='msbreg_mm.GeometryProbe'),
    ]
    make_runner(tmp_path / 'work', probes=probes, val=ToyImages()).train()
    (line,) = scalars(tmp_path / 'work')
    assert 0 <= line['knn/top1'] <= 100
    assert line['knn/top1'] == line['knn/top1_k1_t0.07']
    assert 1 <= line['geometry/effective_rank'] <= 4


class Break(Hook):
    def before_train(self, runner):
        with torch.no_grad():
            runner.model.backbone[0].weight[0, 0] = torch.nan


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match=r'train_cfg.probes is empty; name a probe'):
        make_runner(tmp_path / 'a', probes=[]).train()
    with pytest.raises(ValueError, match='max_epochs is 1, got 3'):
        make_runner(tmp_path / 'b', loop=dict(max_epochs=3)).train()
    with pytest.raises(KeyError, match='NoProbe'):
        make_runner(tmp_path / 'c', probes=[dict(type='msbreg_mm.NoProbe')]).train()
    with pytest.raises(ValueError, match='val_dataloader, which is missing'):
        make_runner(tmp_path / 'd', without_val=True).train()
    four = ToyImages(8, metainfo=dict(classes=('a', 'b', 'c', 'd')))
    with pytest.raises(ValueError, match='3 and 4 classes, not in both: d'):
        make_runner(tmp_path / 'e', val=four).train()
    with pytest.raises(ValueError, match=r"\('d'\) have no image to fit on"):
        make_runner(tmp_path / 'f', train=four, val=four).train()
    match = r'train .*: 10 of 10 features hold NaN.*images 0, 1, 2, 3, 4, …'
    with pytest.raises(ValueError, match=match):
        make_runner(tmp_path / 'g', custom_hooks=[Break()]).train()
    probes = [dict(type='msbreg_mm.KNNProbe', ks=(20,))]
    match = 'bank has 10 images, fewer than k=20 neighbours'
    with pytest.raises(ValueError, match=match):
        make_runner(tmp_path / 'h', probes=probes).train()
    assert not ToyProbe.seen


def test_progress_is_logged(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr('msbreg_mm.engine.probe_loop._LOG_SECONDS', 0.0)
    runner = make_runner(tmp_path / 'work')
    monkeypatch.setattr(runner, 'logger', SimpleNamespace(info=lines.append))
    runner.train()
    shown = [line for line in lines if 'images,' in line and 'train (' in line]
    assert [line.split(': ')[1].split(' images')[0] for line in shown] == [
        '4 of 10', '8 of 10', '10 of 10',
    ]  # fmt: skip
    assert '0 s left' in shown[-1]


def run_rank(folder):
    ToyProbe.seen.clear()
    runner = make_runner(Path(folder) / 'work')
    runner.model = MMDistributedDataParallel(runner.model, broadcast_buffers=False)
    runner.train()
    seen = [(np.array(t.features), np.array(v.features)) for t, v, _ in ToyProbe.seen]
    hub = runner.message_hub.get_scalar('val/toy/mean').current()
    return images_seen(runner.model.module), seen, hub


@pytest.mark.dist
def test_ranks_share_the_images_without_padding(tmp_path):
    (seen0, features, mean0), (seen1, none, mean1) = gloo.run(run_rank, str(tmp_path))
    # 10 images are 5 and 5, 7 are 3 and 4; one more of each for the dimension.
    assert (seen0, seen1) == (5 + 3 + 2, 5 + 4 + 2)
    assert not none  # the probes run in the first process
    assert mean0 == mean1
    make_runner(tmp_path / 'one', loop=dict(cache_dir='')).train()
    ((train, val, _),) = ToyProbe.seen
    np.testing.assert_allclose(features[0][0], train.features, rtol=1e-6)
    np.testing.assert_allclose(features[0][1], val.features, rtol=1e-6)


def test_it_is_found_by_name():
    from msbreg_mm.registry import LOOPS

    assert LOOPS.get('msbreg_mm.ProbeLoop') is ProbeLoop
