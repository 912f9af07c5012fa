"""Tasks describe themselves in their config."""

import pytest

from msbreg_mm.runs.columns import Column
from msbreg_mm.suite.tasks import Schedule, find_tasks, load_task, resolve_tasks

BODY = """
train_cfg = dict(type='IterBasedTrainLoop', max_iters=90000)
train_dataloader = dict(batch_size=2)
val_dataloader = dict(batch_size=1)
val_evaluator = dict(type='CocoMetric')
"""


def write(path, text):
    path.write_text(text)
    return path


def test_task_reads_label_metrics_and_schedule(task_config):
    task = load_task(task_config)
    assert task.name == 'tiny-rcnn_shapes'
    assert task.protocol == 'tiny protocol'
    assert task.metrics == (
        Column('coco/bbox_mAP', 'box AP', 100), Column('coco/segm_mAP', 'mask AP', 100),
    )  # fmt: skip
    assert task.schedule == Schedule('epoch', 3, 4)
    assert str(task.schedule) == '3 epochs, batch 4'


def test_label_is_never_inherited(task_config, tmp_path):
    child = write(tmp_path / 'other.py', f"_base_ = ['./{task_config.name}']\n")
    task = load_task(child)
    assert task.protocol == 'other'
    # the columns are, they say nothing about the data
    assert [metric.title for metric in task.metrics] == ['box AP', 'mask AP']


def test_config_without_description_is_a_task(tmp_path):
    task = load_task(write(tmp_path / 'mine.py', BODY))
    assert (task.protocol, task.metrics) == ('mine', ())
    assert str(task.schedule) == '90,000 iterations, batch 2'


def test_find_tasks_lists_configs_with_a_description(task_config, tmp_path):
    write(tmp_path / 'plain.py', BODY)
    assert find_tasks([tmp_path]) == [task_config]


def test_shipped_tasks_load_and_have_distinct_labels():
    tasks = [load_task(file) for file in find_tasks()]
    labels = [task.protocol for task in tasks]
    assert len(set(labels)) == len(labels)
    assert all(task.metrics for task in tasks)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a = 1', 'no train_cfg or no train_dataloader'),
        ('train_cfg=dict()\ntrain_dataloader=dict()', 'nothing would be scored'),
        (BODY + 'train_cfg=dict()', 'neither max_epochs nor'),
        (BODY + "transfer=dict(protocol='')", 'non-empty string'),
        (BODY + "x='a'\ntransfer=dict(protocol=x)", 'plain, non-empty string'),
        (
            BODY + "transfer=dict(protocl='p')",
            "has no 'protocl'; did you mean 'protocol'",
        ),
        (BODY + "transfer=dict(metrics=[('own/x', 'x')])", 'fraction or a percentage'),
        (BODY + "transfer=dict(metrics=['coco/bbox_mAP'])", r'write \(key, title\)'),
    ],
)
def test_bad_config(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        load_task(write(tmp_path / 'bad.py', text))


def test_unknown_and_double_names(task_config, tmp_path):
    with pytest.raises(ValueError, match=r"no task 'nope'.*tiny-rcnn_shapes"):
        resolve_tasks(['nope'], [tmp_path])
    with pytest.raises(FileNotFoundError, match=r'no config file .*absent\.py'):
        resolve_tasks([str(tmp_path / 'absent.py')], [tmp_path])
    with pytest.raises(ValueError, match="two tasks are called 'tiny-rcnn_shapes'"):
        resolve_tasks([str(task_config), task_config.stem], [tmp_path])
