"""Reading mmengine's logs, with attempts that overlap."""

import json

from msbreg_mm.runs.log import read_log, train_curve
from msbreg_mm.runs.schedule import Schedule


def write(folder, name, lines, tail=''):
    path = folder / name / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, lines)) + tail)


def train(epoch, iteration, loss=1.0):
    return {'lr': 0.1, 'loss': loss, 'epoch': epoch, 'iter': iteration}


def val(step, ap):
    return {'coco/bbox_mAP': ap, 'data_time': 0.1, 'time': 0.2, 'step': step}


def test_resumed_attempt_replaces_what_it_repeats(tmp_path):
    write(tmp_path, '2025_1', [
        train(1, 10, 5), val(1, 0.1), train(2, 20, 4), val(2, 0.2), train(3, 30, 3),
    ], tail='\n{"lr": 0.1, "lo')  # fmt: skip
    write(
        tmp_path, '2025_2', [train(2, 20, 4.5), val(2, 0.25), train(3, 30), val(3, 1)]
    )
    log = read_log(tmp_path)
    assert log.curve('coco/bbox_mAP') == ([1, 2, 3], [0.1, 0.25, 1])
    assert train_curve(log.train, 'loss') == ([10, 20, 30], [5, 4.5, 1])
    assert log.is_complete(Schedule('epoch', 3, 4))
    assert not log.is_complete(Schedule('epoch', 4, 4))
    assert len(log.files) == 2


def test_position_within_an_epoch(tmp_path):
    schedule = Schedule('epoch', 4, 4)
    write(tmp_path, '1', [train(1, 10), train(1, 20), val(1, 0), train(2, 30)])
    # an epoch has 20 iterations, so that 30 are one and a half
    assert read_log(tmp_path).position(schedule) == 1.5
    assert read_log(tmp_path / 'absent').position(schedule) == 0


def test_iterations_are_taken_from_the_training_where_steps_are_epochs(tmp_path):
    schedule = Schedule('iter', 200, 4, log_interval=50)
    lines = [train(1, 100), val(0, 0.1), train(1, 150), train(1, 200), val(0, 0.2)]
    write(tmp_path, '1', lines)
    log = read_log(tmp_path, by_iter=True)
    assert log.curve('coco/bbox_mAP') == ([100, 200], [0.1, 0.2])
    assert log.position(schedule) == 200
    assert log.is_complete(schedule)


def test_no_metrics_is_a_validation_too(tmp_path):
    write(tmp_path, '1', [train(1, 10), {'time': 1.0, 'step': 1}])
    assert read_log(tmp_path).val == [(1.0, {})]
