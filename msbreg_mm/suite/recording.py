"""From a finished run's folder to its result record."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from msbreg_mm.checkpoints.reference import RANDOM
from msbreg_mm.runs.columns import Column, unusual
from msbreg_mm.runs.folder import (
    FINAL_VALIDATION,
    MATCH_REPORT,
    PREDICTIONS,
    RESUMES,
)
from msbreg_mm.runs.log import Log, read_log
from msbreg_mm.runs.record import DRAWS_NOTHING, Record
from msbreg_mm.suite.plan import Job
from msbreg_mm.suite.tasks import KNOWN_METRICS
from msbreg_mm.utils.environment import device_name, versions
from msbreg_mm.utils.errors import DataError
from msbreg_mm.utils.files import read_json
from msbreg_mm.utils.typed import convert, is_number


def read_final_log(job: Job) -> Log:
    """Read a job's log, with the validation that was made up for afterwards."""
    by_iter = job.task.schedule.unit == 'iter'
    log = read_log(job.folder, by_iter)
    made_up = read_json(job.folder / FINAL_VALIDATION)
    if made_up and not log.is_complete(job.task.schedule):
        metrics = convert(made_up.get('metrics'), dict[str, float], FINAL_VALIDATION)
        log.val.append((float(job.task.schedule.total), metrics))
    return log


def make_record(
    job: Job, devices: tuple[str, ...] | None, wall_time_s: float, finished: str
) -> Record:
    """Gather everything about a finished job.

    Args:
        job: The job; its training and last validation are over.
        devices: GPUs of the job as in :class:`~msbreg_mm.suite.job.JobRun`.
        wall_time_s: Seconds over all attempts.
        finished: Time of the end.

    Returns:
        The record.

    Raises:
        DataError: If the final validation or the match report is missing, or
            the final checkpoint of a pretraining.
    """
    log = read_final_log(job)
    if not job.task.scored:
        return _make_record(
            job, devices, wall_time_s, finished, log, _end_of_training(job, log)
        )
    if not log.is_complete(job.task.schedule):
        raise DataError(
            f'{job.folder}: the log has no validation after {job.task.schedule}; '
            'does the config validate at the end (val_cfg, val_interval)?'
        )
    metrics, notes = dict(log.val[-1][1]), []
    columns = _columns(job, metrics)
    if missing := [c.key for c in columns if c.key not in metrics]:
        if not _found_nothing(job.folder):
            raise DataError(
                f'{job.folder}: the final validation has no {missing[0]!r}; it has '
                f'{sorted(metrics) or "no metric at all"}. Correct transfer.metrics '
                f'in {job.task.config}'
            )
        # mmdet leaves the metrics out; with no detections they are zero.
        metrics |= dict.fromkeys(missing, 0.0)
        notes.append('nothing detected')
    for column in columns:
        # The fractions of upstream are at most 1; 100 times a percentage is a slip.
        if column.scale == 100 and abs(metrics[column.key]) > 1.5:
            raise DataError(
                f'{job.folder}: {column.key} is {metrics[column.key]:g}, no fraction, '
                f'and would be shown 100 times; write scale 1 in transfer.metrics of '
                f'{job.task.config}'
            )
    for key in (column.key for column in columns):
        if not is_number(metrics[key]):
            raise DataError(
                f'{job.folder}: {key} is {metrics[key]}, which is no result; did the '
                'training diverge?'
            )
    return _make_record(
        job, devices, wall_time_s, finished, log, metrics, columns, notes
    )


def final_checkpoint(job: Job) -> Path:
    """Name the checkpoint that mmengine writes at the end of the training."""
    schedule = job.task.schedule
    return job.folder / f'{schedule.unit}_{schedule.total}.pth'


def _end_of_training(job: Job, log: Log) -> dict[str, float]:
    if not (file := final_checkpoint(job)).is_file():
        raise DataError(
            f'{file} was not written; does the config save a checkpoint at its end '
            '(default_hooks.checkpoint)?'
        )
    return log.last()


def _make_record(
    job: Job,
    devices: tuple[str, ...] | None,
    wall_time_s: float,
    finished: str,
    log: Log,
    metrics: dict[str, float],
    columns: Sequence[Column] = (),
    notes: Sequence[str] = (),
) -> Record:
    report = _match_report(job)
    if report.get('partial'):
        notes = [*notes, 'partial checkpoint']
    if not job.draws:
        notes = [*notes, DRAWS_NOTHING]
    notes = [*notes, *_resumes(job.folder)]
    return Record(
        task=job.task.name,
        protocol=job.protocol,
        checkpoint=job.checkpoint.name,
        identity=job.identity,
        metrics=metrics,
        columns=[column.stored for column in columns],
        better=unusual(columns),
        versions=versions(),
        device=_device(devices),
        wall_time_s=round(wall_time_s, 3),
        schedule=asdict(job.task.schedule),
        match_report=report,
        notes=list(notes),
        finished=finished,
        scalars=[str(file.relative_to(job.folder)) for file in log.files],
        per_seed=job.checkpoint.per_seed,
        data=job.data,
    )


def _resumes(folder: Path) -> list[str]:
    """Say how often a run was resumed, and with which other plan."""
    path = folder / RESUMES
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    notes = [f'resumed {len(lines)} time{"s" * (len(lines) > 1)}'] if lines else []
    for line in lines:
        entry = convert(json.loads(line), dict[str, Any], RESUMES)
        if entry.get('changes'):
            place = f'epoch {entry.get("epoch")}, iteration {entry.get("iteration")}'
            changes = '; '.join(map(str, entry['changes']))
            notes.append(f'resumed at {place} with another plan: {changes}')
    return notes


def _columns(job: Job, metrics: dict[str, float]) -> list[Column]:
    if job.task.metrics:
        return list(job.task.metrics)
    known = [column for column in KNOWN_METRICS if column.key in metrics]
    if known:
        return known
    if 'CocoMetric' in job.evaluator:
        return [KNOWN_METRICS[0]]
    return [Column(key, key, 1.0) for key in sorted(metrics)[:4]]


def _found_nothing(folder: Path) -> bool:
    file = folder / f'{PREDICTIONS}.bbox.json'
    return file.is_file() and file.stat().st_size <= len('[]\n')


def _match_report(job: Job) -> dict[str, Any]:
    report = read_json(job.folder / MATCH_REPORT)
    if report is None:
        if job.checkpoint.path == RANDOM:
            return {'checkpoint': RANDOM}
        raise DataError(
            f'{job.folder}: no {MATCH_REPORT}, so nothing says that the '
            'checkpoint was loaded; does the config build its model from '
            '--checkpoint?'
        )
    report = convert(report, dict[str, Any], MATCH_REPORT)
    found, wanted = report.get('sha256'), job.identity.checkpoint_sha256
    if wanted and found and found != wanted:
        raise DataError(
            f'{job.folder}: {job.checkpoint.path} has changed since the suite was '
            f'planned (sha256 {wanted[:12]}, now {str(found)[:12]}); call the suite '
            'again'
        )
    # The lists of names are long and stand in the job's own file.
    return {
        key: len(value) if isinstance(value, list) and key != 'notes' else value
        for key, value in report.items()
    }


def _device(devices: tuple[str, ...] | None) -> str:
    if devices is not None:
        os.environ['CUDA_VISIBLE_DEVICES'] = ','.join(devices)
    return device_name()
