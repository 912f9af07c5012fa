"""Jobs: names, folders, identities."""

import hashlib

import pytest

from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.runs.config import LaunchOptions, resolve_config
from msbreg_mm.runs.settings import hash_config, parse_options
from msbreg_mm.suite.plan import plan_jobs
from msbreg_mm.suite.tasks import load_task, resolve_tasks
from msbreg_mm.suite.trainer import Trainer


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


PROBE = """
transfer = dict(protocol='tiny probe', metrics=[('knn/top1', '20-NN', 1)])
train_cfg = dict(type='msbreg_mm.ProbeLoop', max_epochs=1, probes=[{probes}])
train_dataloader = dict(batch_size=4, dataset=dict(data_root='data/x/'))
val_dataloader = dict(batch_size=4, dataset=dict(data_root='data/x/'))
val_evaluator = dict(type='Evaluator')
"""
KNN, SVM = "dict(type='msbreg_mm.KNNProbe'),", "dict(type='msbreg_mm.SVMProbe'),"


@pytest.mark.parametrize(('probes', 'draws'), [(KNN, False), (KNN + SVM, True)])
def test_what_draws_nothing_runs_once(probes, draws, backbone, tmp_path):
    config = tmp_path / 'probe_tiny.py'
    config.write_text(PROBE.format(probes=probes))
    per_seed = tmp_path / 'own'
    for seed in (1, 2):
        (per_seed / f'seed{seed}').mkdir(parents=True)
        (per_seed / f'seed{seed}' / 'a.pth').write_bytes(b'%d' % seed)
    names = ['random', str(backbone), f'own={per_seed}/seed{{seed}}/a.pth']
    jobs = plan_jobs(
        [load_task(config)], parse_checkpoints(names), (1, 2), tmp_path / 'suite'
    )
    seeds = {}
    for job in jobs:
        seeds.setdefault(job.checkpoint.name, []).append(job.identity.seed)
    # Initial weights and files of their own differ from seed to seed.
    assert seeds == {
        'random': [1, 2], 'msbreg': [1, 2] if draws else [1], 'own': [1, 2]
    }  # fmt: skip
    assert [job.draws for job in jobs if job.checkpoint.name == 'msbreg'] == (
        [True, True] if draws else [False]
    )


@pytest.mark.parametrize(
    ('name', 'place'),
    [
        ('fcn_r18-w16_400i_nuclei', 'val_evaluator'),
        ('finetune_r18-w16_10e_cifar10', 'val_evaluator.0'),
        ('faster-rcnn_r50-c4_24k_voc0712', 'val_evaluator'),
        ('mask-rcnn_r50-fpn_1x_coco', 'val_evaluator'),
    ],
)
def test_evaluators_keep_their_predictions_in_the_jobs_folder(name, place, tmp_path):
    tasks, refs = resolve_tasks([name]), parse_checkpoints(['random'])
    (job,) = plan_jobs(tasks, refs, [0], tmp_path, processes=8 if 'r50' in name else 1)
    arguments = Trainer().arguments(job, resume=False)
    option = arguments[arguments.index('--cfg-options') + 1]
    prefix = f'{job.folder.resolve()}/predictions'
    assert option == f'{place}.outfile_prefix={prefix}'
    options = parse_options([option])
    cfg = resolve_config(LaunchOptions(job.task.config, cfg_options=options))
    evaluator = cfg.val_evaluator[0] if place[-1] == '0' else cfg.val_evaluator
    assert evaluator.outfile_prefix == prefix
