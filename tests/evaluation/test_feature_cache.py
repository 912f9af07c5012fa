import errno
import json
import os
import threading
import time

import gloo
import numpy as np
import pytest
from mmengine.dist import get_rank

from msbreg_mm.evaluation.feature_cache import FeatureCache

ROWS = np.arange(12, dtype=np.float32).reshape(6, 2)


def filler(calls=None, rows=ROWS):
    def fill(write):
        if calls is not None:
            calls.append(1)
        for start in (0, 4, 2):  # in any order
            write(start, rows[start : start + 2])

    return fill


def refuse(write):
    raise AssertionError('computed again')


def test_features_are_computed_once(tmp_path):
    cache = FeatureCache(tmp_path / 'new' / 'folder')
    features, found = cache.get('k', (6, 2), filler(), dict(name='train'))
    assert not found
    assert isinstance(features, np.memmap)
    assert not features.flags.writeable
    np.testing.assert_array_equal(features, ROWS)
    again, found = cache.get('k', (6, 2), refuse)
    assert found
    np.testing.assert_array_equal(again, ROWS)
    noted = json.loads((cache.folder / 'k.json').read_text())
    assert noted['name'] == 'train'
    assert noted['shape'] == [6, 2]
    visible = {p.name for p in cache.folder.iterdir() if not p.name.startswith('.')}
    assert visible == {'k.npy', 'k.json'}
    # Any reader of NumPy files reads it.
    np.testing.assert_array_equal(np.load(cache.folder / 'k.npy'), ROWS)


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    'damage',
    [
        lambda folder: cut(folder / 'k.npy'),
        lambda folder: flip(folder / 'k.npy'),
        lambda folder: (folder / 'k.npy').write_bytes(b''),
        lambda folder: (folder / 'k.npy').unlink(),
        lambda folder: (folder / 'k.json').unlink(),
        lambda folder: cut(folder / 'k.json'),
        lambda folder: (folder / 'k.json').write_text('[]'),
        lambda folder: np.save(folder / 'k.npy', ROWS.astype(np.float64)),
        lambda folder: np.save(folder / 'k.npy', ROWS[:5]),
    ],
)
def test_damaged_features_are_computed_again(tmp_path, damage):
    cache, calls = FeatureCache(tmp_path), []
    cache.get('k', (6, 2), filler(calls))
    damage(tmp_path)
    features, found = cache.get('k', (6, 2), filler(calls))
    assert not found
    assert len(calls) == 2
    np.testing.assert_array_equal(features, ROWS)
    assert cache.get('k', (6, 2), refuse)[1]


def test_nothing_half_written_stays(tmp_path):
    def interrupted(write):
        write(0, ROWS[:2])
        raise KeyboardInterrupt

    cache = FeatureCache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        cache.get('k', (6, 2), interrupted)
    assert {p.name for p in tmp_path.iterdir()} == {'.k.lock'}
    rows = ROWS.copy()
    rows[3, 1] = np.nan
    with pytest.raises(ValueError, match=r'val: 1 of 6 features hold NaN.*images 3'):
        cache.get('k', (6, 2), filler(rows=rows), dict(name='val'))
    assert {p.name for p in tmp_path.iterdir()} == {'.k.lock'}
    assert not cache.get('k', (6, 2), filler())[1]


def test_a_full_disk_is_said_before_anything_is_computed(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'posix_fallocate', full)
    with pytest.raises(OSError, match=r'cannot reserve 48 bytes .*train_cfg.cache_dir'):
        FeatureCache(tmp_path).get('k', (6, 2), refuse)
    assert {p.name for p in tmp_path.iterdir()} == {'.k.lock'}


def test_a_second_process_waits_and_takes_what_the_first_computed(tmp_path):
    # flock excludes open files, so threads stand for processes here.
    calls, started = [], threading.Event()

    def slow(write):
        started.set()
        time.sleep(0.3)
        filler(calls)(write)

    results = []
    threads = [
        threading.Thread(
            target=lambda: results.append(FeatureCache(tmp_path).get('k', (6, 2), slow))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
        started.wait()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert sorted(found for _, found in results) == [False, True, True]
    for features, _ in results:
        np.testing.assert_array_equal(features, ROWS)


def fill_share(folder):
    def fill(write):
        write(3 * get_rank(), ROWS[3 * get_rank() : 3 * get_rank() + 3])

    first = FeatureCache(folder).get('k', (6, 2), fill)
    second = FeatureCache(folder).get('k', (6, 2), refuse)
    return np.array(first[0]), first[1], second[1]


@pytest.mark.dist
def test_ranks_fill_one_file(tmp_path):
    for features, first, second in gloo.run(fill_share, str(tmp_path)):
        np.testing.assert_array_equal(features, ROWS)
        assert (first, second) == (False, True)
