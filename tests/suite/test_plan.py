"""Jobs: names, folders, identities."""

import hashlib

import pytest

from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.runs.settings import hash_config, parse_options


def test_seeds_are_the_outer_loop_and_random_comes_first(make_jobs):
    jobs = make_jobs()
    order = [(job.checkpoint.name, job.identity.seed) for job in jobs]
    assert order == [('random', 0), ('msbreg', 0), ('random', 1), ('msbreg', 1)]


def test_folder_is_named_by_config_checkpoint_and_seed(make_jobs, tmp_path):
    sha = hashlib.sha256(b'weights').hexdigest()
    job = make_jobs()[1]
    folder = tmp_path / 'suite' / 'tiny-rcnn_shapes' / f'msbreg-{sha[:8]}' / 'seed0'
    assert job.folder == folder
    assert job.identity.checkpoint_sha256 == sha


def test_options_change_hash_and_label_but_paths_do_not(make_jobs):
    plain = make_jobs()[0]
    moved = make_jobs(
        options=['data_root=/elsewhere/', 'default_hooks.logger.interval=5']
    )[0]
    assert moved.identity == plain.identity
    assert moved.protocol == 'tiny protocol'
    longer = make_jobs(options=['train_cfg.max_epochs=9'])[0]
    assert longer.identity.config_hash != plain.identity.config_hash
    assert longer.protocol == 'tiny protocol + train_cfg.max_epochs=9'
    assert longer.task.schedule.total == 9
    amp = make_jobs(settings=['--amp'])[0]
    assert amp.identity.config_hash != plain.identity.config_hash
    assert amp.protocol == 'tiny protocol + amp'


def test_hash_ignores_order_paths_and_machine():
    first = {'model': {'depth': 18}, 'ann_file': '/a/train.json', 'work_dir': 'x'}
    second = {'ann_file': 'b/train.json', 'model': {'depth': 18}, 'num_workers': 4}
    assert hash_config(first) == hash_config(second)
    assert hash_config(first) != hash_config(first | {'ann_file': '/a/test.json'})
    assert hash_config(first) != hash_config({**first, 'model': {'depth': 50}})


def test_checkpoint_arguments(tmp_path):
    run = tmp_path / 'byol_r18'
    run.mkdir()
    (run / 'epoch_30.pth').write_bytes(b'1')
    (run / 'moco.pth').write_bytes(b'2')
    refs = parse_checkpoints(
        [f'ours={run}/moco.pth', f'{run}/epoch_30.pth', f'{run}/moco.pth', 'random']
    )
    assert [ref.name for ref in refs] == ['random', 'ours', 'byol_r18-epoch_30', 'moco']


def test_bad_checkpoint_arguments(backbone):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint nope\.pth.*'random'"):
        parse_checkpoints(['nope.pth'])
    with pytest.raises(ValueError, match="two checkpoints are called 'a'"):
        parse_checkpoints([f'a={backbone}', f'a={backbone}'])
    with pytest.raises(ValueError, match=r"'a/b' cannot name a folder"):
        parse_checkpoints([f'a/b={backbone}'])


def test_bad_plans(make_jobs):
    with pytest.raises(ValueError, match='distinct and at least 0'):
        make_jobs(seeds=(1, 1))
    with pytest.raises(ValueError, match='distinct and at least 0'):
        make_jobs(seeds=(-1,))
    with pytest.raises(ValueError, match='at least one task, checkpoint and seed'):
        make_jobs(seeds=())
    with pytest.raises(ValueError, match="takes key=value, got 'lr'"):
        parse_options(['lr'])


def test_one_pretraining_per_seed(make_jobs, tmp_path):
    for seed in (0, 1):
        folder = tmp_path / 'byol' / f'seed{seed}'
        folder.mkdir(parents=True)
        (folder / 'epoch_8.pth').write_bytes(f'weights {seed}'.encode())
    pattern = str(tmp_path / 'byol' / 'seed{seed}' / 'epoch_8.pth')
    jobs = make_jobs(checkpoints=[pattern])
    for seed, job in enumerate(jobs):
        sha = hashlib.sha256(f'weights {seed}'.encode()).hexdigest()
        assert job.checkpoint.name == 'byol'
        assert job.checkpoint.path == pattern.replace('{seed}', str(seed))
        assert job.checkpoint.per_seed
        assert job.identity.checkpoint_sha256 == sha
        assert job.folder.parent.name == f'byol-{sha[:8]}'
    with pytest.raises(FileNotFoundError, match=r'seed2/epoch_8\.pth for seed 2 of'):
        make_jobs(checkpoints=[pattern], seeds=(0, 2))
