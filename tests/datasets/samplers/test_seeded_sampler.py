"""Draws and order follow seed, epoch and image alone."""

import random

import mmengine.dataset.sampler
import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.runner import Runner

from msbreg_mm.datasets.samplers import drop_worker_settings, use_seeded_sampler
from msbreg_mm.datasets.samplers import seeded_sampler as module
from msbreg_mm.utils.keys import draw_key, generators_kept, seed_generators, sub_key


class Draw(BaseTransform):
    """Draws from all three global generators, as upstream transforms do."""

    def transform(self, results):
        return {
            'index': results['sample_idx'],
            'draws': [random.random(), np.random.rand(), float(torch.rand(()))],
        }


class FailHalf(BaseTransform):
    """Gives up on half of the images, so that the data set takes others."""

    def transform(self, results):
        return None if results['number'] % 2 else results


class Numbers(BaseDataset):
    """Images that are numbers."""

    def __init__(self, size=12, pipeline=()):
        self.size = size
        super().__init__(lazy_init=True)
        self.pipeline.transforms = [*pipeline, Draw()]
        self.full_init()

    def load_data_list(self):
        return [
            {'number': i, 'width': 1 + i % 3, 'height': 2} for i in range(self.size)
        ]


def build(dataset, seed=3, sampler=None, **changes):
    loader = dict(
        batch_size=4,
        num_workers=0,
        sampler=sampler or dict(type='DefaultSampler', shuffle=True),
        dataset=dataset,
    )
    cfg = Config(dict(train_dataloader={**loader, **changes, 'dataset': None}))
    use_seeded_sampler(cfg)
    return Runner.build_dataloader(
        {**cfg.train_dataloader.to_dict(), 'dataset': dataset}, seed=seed
    )


def read(loader, epoch=0, batches=None):
    """Read pairs of index and draws in order."""
    if hasattr(loader.sampler, 'set_epoch'):
        loader.sampler.set_epoch(epoch)
    found = []
    for number, batch in enumerate(loader):
        if number == batches:
            break
        draws = np.transpose([np.asarray(part) for part in batch['draws']])
        found += [
            (int(i), *d) for i, d in zip(batch['index'], draws.tolist(), strict=True)
        ]
    return found


def test_workers_and_their_life_do_not_matter():
    expected = [read(build(Numbers()), epoch) for epoch in (0, 1)]
    for changes in (
        dict(num_workers=2),
        dict(num_workers=3, persistent_workers=True),
        dict(num_workers=1, persistent_workers=True, prefetch_factor=4),
    ):
        loader = build(Numbers(), **changes)
        assert [read(loader, epoch) for epoch in (0, 1)] == expected
    assert sorted(read(build(Numbers(), batch_size=5))) == sorted(expected[0])


def test_nothing_is_drawn_twice():
    draws = [
        draw
        for seed in (0, 1, 2)
        for epoch in (0, 1, 2)
        for _, *image in read(build(Numbers(), seed), epoch)
        for draw in image
    ]
    assert len(set(draws)) == len(draws) == 3 * 3 * 12 * 3


def test_seeds_and_epochs_have_orders_of_their_own():
    orders = {
        (seed, epoch): tuple(
            index for index, *_ in read(build(Numbers(30), seed), epoch)
        )
        for seed in range(3)
        for epoch in range(3)
    }
    # With a sum, epoch 1 of seed 0 would be epoch 0 of seed 1.
    assert len(set(orders.values())) == 9


def test_process_does_not_matter(monkeypatch):
    whole = sorted(read(build(Numbers())))
    parts = []
    for rank in (0, 1):
        for target in (module, mmengine.dataset.sampler):
            monkeypatch.setattr(target, 'get_dist_info', lambda rank=rank: (rank, 2))
        parts += read(build(Numbers()))
    assert sorted(parts) == whole


@pytest.mark.parametrize('workers', [0, 2])
def test_position_inside_an_epoch(workers):
    whole = read(build(Numbers()), 1)
    loader = build(Numbers(), num_workers=workers)
    loader.sampler.skip(8)
    assert read(loader, 1) == whole[8:]
    assert read(loader, 1) == whole, 'only the next iteration starts later'


def test_skipped_images_are_not_read(monkeypatch):
    loader = build(Numbers())
    monkeypatch.setattr(
        loader.dataset, 'get_data_info', lambda index: pytest.fail('was read')
    )
    loader.sampler.skip(12)
    assert read(loader) == []


def test_passes_of_an_infinite_sampler():
    sampler = dict(type='InfiniteSampler', shuffle=True)
    loader = build(Numbers(6), sampler=sampler, num_workers=2)
    found = read(loader, batches=6)  # four passes
    assert [sorted(i for i, *_ in found[k : k + 6]) for k in (0, 6, 12, 18)] == [
        list(range(6))
    ] * 4
    assert len({draw for _, *draws in found for draw in draws}) == 24 * 3
    later = build(Numbers(6), sampler=sampler)
    later.sampler.skip(8)
    assert read(later, batches=4) == found[8:]


def test_replacement_of_a_broken_image_follows_the_key():
    read_all = [
        read(build(Numbers(12, [FailHalf()]), num_workers=workers))
        for workers in (0, 2, 3)
    ]
    assert read_all[0] == read_all[1] == read_all[2]
    assert all(index % 2 == 0 for index, *_ in read_all[0])


def test_a_sampler_that_repeats_images_varies_them():
    from mmpretrain.datasets.samplers import RepeatAugSampler  # noqa: F401

    sampler = dict(type='mmpretrain.RepeatAugSampler', num_repeats=3)
    found = read(build(Numbers(12), sampler=sampler))
    assert len({index for index, *_ in found}) < 12
    assert len({draw for _, *draws in found for draw in draws}) == 36


def test_repeated_and_joined_sets_draw_for_each_entry():
    for dataset in (RepeatDataset(Numbers(6), 2), ConcatDataset([Numbers(6)] * 2)):
        found = read(build(dataset))
        assert len({draw for _, *draws in found for draw in draws}) == 36


def test_batches_of_similar_shape_can_be_skipped():
    from mmdet.datasets.samplers import AspectRatioBatchSampler  # noqa: F401

    kind = dict(batch_sampler=dict(type='mmdet.AspectRatioBatchSampler'))
    whole = read(build(Numbers(), **kind))
    loader = build(Numbers(), num_workers=2, **kind)
    loader.batch_sampler.skip_batches(2)
    assert read(loader) == whole[8:]


def test_training_process_keeps_its_generators():
    loader = build(Numbers())

    def draw():
        return random.random(), np.random.rand(), float(torch.rand(()))

    iterator = iter(loader)  # draws a seed for workers that are not there
    seed_generators(1)
    expected = draw()
    seed_generators(1)
    next(iterator)
    assert draw() == expected


def test_numpy_and_torch_draw_different_numbers():
    # Both are MT19937 and take 32 bits.
    seed_generators(draw_key('anything'))
    numpy = np.random.randint(0, 2**32, 8, dtype=np.uint32).tolist()
    tensor = torch.randint(0, 2**32, (8,)).tolist()
    assert not set(numpy) & set(tensor)


def test_generators_come_back_after_an_error():
    seed_generators(5)
    expected = np.random.rand()
    seed_generators(5)
    with pytest.raises(ZeroDivisionError), generators_kept():
        divmod(np.random.randint(9), 0)
    assert np.random.rand() == expected


def test_keys_depend_on_every_part_and_its_place():
    keys = {
        draw_key('a', 0, 1),
        draw_key('a', 1, 0),
        draw_key('a', '0', 1),
        draw_key('a', 10),
        draw_key('a0', 1),
        sub_key(0, 1),
        sub_key(1, 0),
    }
    assert len(keys) == 7
    assert all(0 <= key < 2**64 for key in keys)


def test_subset_of_a_read_set_reads_itself():
    dataset = build(Numbers()).dataset
    subset = dataset.get_subset([5, 6])
    assert subset.__getitems__([0])[0]['index'] == 0
    assert len(subset) == 2
    assert subset.__getitems__.dataset is not dataset


def test_spawned_workers():
    loader = build(Numbers(), num_workers=1, multiprocessing_context='spawn')
    assert read(loader) == read(build(Numbers()))


def test_seed_of_the_config_stays():
    sampler = dict(type='DefaultSampler', shuffle=True, seed=7)
    loader = build(Numbers(), seed=1, sampler=sampler)
    loader.sampler.set_seed(2)
    assert read(loader) == read(build(Numbers(), seed=7))


def test_config_is_changed_once_and_only_where_it_can():
    cfg = Config(dict(train_dataloader=dict(sampler=dict(type='DefaultSampler'))))
    use_seeded_sampler(cfg)
    once = cfg.to_dict()
    use_seeded_sampler(cfg)
    assert cfg.to_dict() == once
    for other in (dict(), dict(train_dataloader=None), dict(train_dataloader={})):
        cfg = Config(other)
        use_seeded_sampler(cfg)
        assert cfg.to_dict() == other


def test_worker_settings_without_workers():
    loader = dict(num_workers=0, persistent_workers=True, prefetch_factor=2, timeout=5)
    cfg = Config(
        dict(
            train_dataloader=loader,
            val_dataloader=dict(loader, num_workers=1),
            custom_hooks=[dict(type='OnlineProbeHook', bank=loader)],
        )
    )
    drop_worker_settings(cfg._cfg_dict)
    assert cfg.train_dataloader == cfg.custom_hooks[0].bank == dict(num_workers=0)
    assert cfg.val_dataloader == dict(loader, num_workers=1)
