"""What belongs to a row's identity: total batch, normalisation, precision, data."""

from dataclasses import asdict, replace

import pytest

from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.runs.schedule import Schedule, describe
from msbreg_mm.suite.plan import plan_jobs
from msbreg_mm.suite.tasks import load_task
from msbreg_mm.utils.errors import OptionError

EIGHT = Schedule('iter', 90000, 2, processes=8, synced=True, base_batch_size=16)


def test_schedule_says_its_total_batch():
    assert str(EIGHT) == '90,000 iterations, batch 16 (8 processes × 2, SyncBN)'
    assert str(replace(EIGHT, processes=1)) == '90,000 iterations, batch 2'
    split = replace(EIGHT, synced=False, accumulation=2, precision='float16')
    assert split.describe_batch() == (
        'batch 32 (8 processes × 2 × 2 steps, BN per process, float16)'
    )


def test_only_cuts_that_normalisation_sees_matter():
    four = replace(EIGHT, processes=4, batch_size=4)
    assert EIGHT.identity() == four.identity()
    assert EIGHT.identity() != replace(EIGHT, processes=1).identity()
    apart = [replace(s, synced=False).identity() for s in (EIGHT, four)]
    assert apart[0] != apart[1]
    assert replace(EIGHT, processes=1, batch_size=16).identity() != EIGHT.identity()
    probes = replace(EIGHT, learns=False)
    assert probes.identity() == replace(probes, batch_size=7).identity()


@pytest.mark.parametrize('schedule', [EIGHT, replace(EIGHT, processes=1, scaled=True)])
def test_fitting_batches_pass(schedule):
    schedule.check_batch('x.py')


def test_other_total_batch_is_an_error_with_both_ways_out():
    with pytest.raises(
        OptionError,
        match=r'x\.py: the learning rate is for a total batch of 16 images, this run '
        r'has 2 \(1 × 2\)\. .*--auto-scale-lr\. Or .* 8 GPUs a job \(--gpus-per-job 8',
    ):
        replace(EIGHT, processes=1).check_batch('x.py')


@pytest.fixture
def plan(tmp_path):
    """Plan one job of a config over data of its own."""
    text = """
transfer = dict(protocol='p', metrics=[('coco/bbox_mAP', 'box AP')])
data_root = 'data/x/'
train_cfg = dict(type='IterBasedTrainLoop', max_iters=3)
loader = dict(dataset=dict(data_root=data_root, ann_file='a.json'))
train_dataloader = dict(batch_size=2, **loader)
val_dataloader = dict(batch_size=1, **loader)
val_evaluator = dict(type='CocoMetric')
model = dict(type='Nothing')
sync_bn = 'torch'
optim_wrapper = dict(type='OptimWrapper', accumulative_counts=1)
auto_scale_lr = dict(base_batch_size=16)
"""
    config = tmp_path / 'tiny.py'
    config.write_text(text)

    def make(processes=8, options=(), settings=(), content='{}', folder='data'):
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        (root / 'a.json').write_text(content)
        (job,) = plan_jobs(
            [load_task(config)],
            parse_checkpoints(['random']),
            [0],
            tmp_path / 'suite',
            [f'data_root={root}', *options],
            settings,
            processes=processes,
        )
        return job

    return make


def test_suite_refuses_the_rate_of_another_batch(plan):
    with pytest.raises(OptionError, match='total batch of 16 images, this run has 2'):
        plan(processes=1)
    job = plan(processes=1, settings=['--auto-scale-lr'])
    assert job.protocol == 'p + auto-scale-lr'
    assert job.identity.config_hash != plan(processes=8).identity.config_hash


def test_two_data_sets_under_the_same_names_never_share_a_row(plan):
    first, same = plan(), plan(folder='elsewhere')
    other = plan(folder='third', content='{"images": []}')
    assert first.identity == same.identity
    assert first.data == same.data != other.data
    assert first.identity != other.identity


def test_accumulation_is_a_cut_like_any_other(plan):
    # Without a GPU nothing is synchronised: normalisation sees two images each time.
    job = plan(processes=1, options=['optim_wrapper.accumulative_counts=8'])
    assert job.task.schedule.total_batch == 16
    assert job.identity == plan(processes=8).identity
    whole = plan(processes=1, options=['train_dataloader.batch_size=16'])
    assert job.identity != whole.identity


def test_a_record_says_its_schedule_in_the_same_words():
    assert describe(asdict(EIGHT)) == str(EIGHT)
    assert describe({**asdict(EIGHT), 'later': 1}) == str(EIGHT)
    assert describe({'unit': 'epoch'}) == ''
    assert describe({'unit': 'epoch', 'total': 'x', 'batch_size': None}) == ''
