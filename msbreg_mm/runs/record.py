"""Result records: one JSON file per finished job, whole or absent."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from msbreg_mm.runs.folder import FAILURE, RESULT
from msbreg_mm.utils.errors import DamagedFileError, InputError, MissingInputError
from msbreg_mm.utils.files import load_json, read_json, write_json
from msbreg_mm.utils.typed import (
    SchemaError,
    convert,
    from_data,
    is_number,
    plain_text,
)

# Records of another layout are of no use to this version.
VERSION = 1
# Note of a record whose numbers do not depend on the seed.
DRAWS_NOTHING = 'draws nothing: the same for every seed'
_MOST_COLUMNS = 100
# Of the other entries, in the file only.
_CHECKSUM = 'crc32'


@dataclass(frozen=True)
class Identity:
    """What makes two runs the same run.

    Attributes:
        config_hash: SHA-256 of the resolved config less paths, seed and machine.
        checkpoint_sha256: Of the checkpoint file; ``''`` for random
            initialisation.
        seed: Seed of all random numbers.
    """

    config_hash: str
    checkpoint_sha256: str
    seed: int


@dataclass
class Record:
    """Everything about one finished job that its row in a table rests on.

    Attributes:
        task: Name of the task.
        protocol: Protocol label.
        checkpoint: Name of the checkpoint in tables.
        identity: Config hash, checkpoint hash and seed.
        metrics: All scalars of the final validation, as the evaluator gave them.
        columns: ``(key, title, scale)`` of the metrics that tables show.
        versions: Versions of Python and the packages.
        device: Name of the device.
        wall_time_s: Seconds of training and validation, over all attempts.
        schedule: ``unit``, ``total`` and ``batch_size``.
        match_report: What the checkpoint gave to the model.
        notes: What a reader of the row must know, e.g. partial loading.
        finished: Time of the end, ISO 8601, UTC.
        scalars: Paths of mmengine's logs, relative to the job's folder.
        per_seed: Whether the checkpoint comes from a pretraining run of this
            seed's own, so that the spread of its row covers pretraining.
        better: Column key → 1 (more), -1 (less) or 0 (neither) is better, where the
            key does not say it, see :class:`~msbreg_mm.runs.columns.Column`.
        data: Fingerprint of what it was trained and scored on; ``''`` if unknown.
        version: Layout of this file.
    """

    task: str
    protocol: str
    checkpoint: str
    identity: Identity
    metrics: dict[str, float]
    columns: list[tuple[str, str, float]]
    versions: dict[str, str]
    device: str
    wall_time_s: float
    schedule: dict[str, Any]
    match_report: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    finished: str = ''
    scalars: list[str] = field(default_factory=list)
    per_seed: bool = False
    better: dict[str, int] = field(default_factory=dict)
    data: str = ''
    version: int = VERSION


@dataclass(frozen=True)
class StoredRecord:
    """A record and the folder of its job."""

    record: Record
    folder: Path


def write_record(folder: Path, record: Record) -> None:
    """Write a job's record and forget its earlier failure.

    Args:
        folder: Folder of the job.
        record: The record.

    Raises:
        OSError: If it cannot be written.
    """
    content = asdict(record)
    write_json(folder / RESULT, {**content, _CHECKSUM: _checksum(content)})
    (folder / FAILURE).unlink(missing_ok=True)


def load_record(folder: Path) -> Record:
    """Read a job's record, which anyone may have written.

    Metrics that are not finite are left out, unless a table would show them: the
    evaluators of upstream write NaN for classes without ground truth.

    Args:
        folder: Folder of the job.

    Returns:
        The record.

    Raises:
        MissingInputError: If there is none.
        DamagedFileError: If it cannot be read, is of another version, or an entry has
            a wrong type or an impossible value; the message names it.
    """
    path = folder / RESULT
    content = load_json(path)
    try:
        if not isinstance(content, dict):
            raise SchemaError('it is no mapping')
        if content.get('version') != VERSION:
            raise SchemaError(
                f'version is {str(content.get("version"))[:20]}, expected {VERSION}'
            )
        return _record(content)
    except SchemaError as error:
        raise DamagedFileError(f'{path}: {error}') from None


def _record(content: dict[str, Any]) -> Record:
    said = content.pop(_CHECKSUM, None)
    written = content
    metrics = content.get('metrics')
    if isinstance(metrics, dict):
        absent = [k for k, v in metrics.items() if isinstance(v, float) and v != v]
        shown = content.get('columns')
        shown = shown if isinstance(shown, list) else []
        keys = [c[0] for c in shown if isinstance(c, list) and c]
        metrics = {k: v for k, v in metrics.items() if k not in absent or k in keys}
    record = from_data(Record, {**content, 'metrics': metrics})
    if record.wall_time_s < 0:
        raise SchemaError(f'wall_time_s is {record.wall_time_s}')
    for name, kind in (('unit', str), ('total', int), ('batch_size', int)):
        if name in record.schedule:
            convert(record.schedule[name], kind, f'schedule.{name}')
    if record.schedule.get('unit', 'epoch') not in ('epoch', 'iter'):
        raise SchemaError("schedule.unit is neither 'epoch' nor 'iter'")
    for key, _, scale in record.columns:
        if not is_number(record.metrics.get(key, 0.0) * scale):
            raise SchemaError(f'metrics.{key} times its scale is no sensible number')
    if not set(record.better.values()) <= {-1, 0, 1}:
        raise SchemaError('better holds something else than -1, 0 and 1')
    if len(record.columns) > _MOST_COLUMNS:
        raise SchemaError(f'columns are {len(record.columns)}')
    # Records of earlier versions have none.
    if said is not None and said != _checksum(written):
        raise SchemaError('it does not agree with its checksum: damaged, or edited')
    return record


def _checksum(content: Any) -> str:
    """CRC-32 of a content, whatever order and spaces its file has."""
    text = json.dumps(content, sort_keys=True, separators=(',', ':'))
    return f'{zlib.crc32(text.encode()):08x}'


def read_record(folder: Path) -> Record | None:
    """Read a job's record; ``None`` if there is none that is whole.

    Args:
        folder: Folder of the job.
    """
    try:
        return load_record(folder)
    except InputError:
        return None


def read_records(work_dir: str | Path) -> list[StoredRecord]:
    """Read all records below a suite's folder that are whole, in a fixed order.

    Args:
        work_dir: Folder of the suite.

    Raises:
        MissingInputError: If there is no such folder.
    """
    found = (
        (read_record(folder), folder) for folder in job_folders(_existing(work_dir))
    )
    return [StoredRecord(record, folder) for record, folder in found if record]


def read_damaged(work_dir: str | Path) -> dict[str, str]:
    """Say what is wrong with the records that :func:`read_records` leaves out.

    Args:
        work_dir: Folder of the suite.

    Returns:
        Folder relative to the suite's → reason.

    Raises:
        MissingInputError: If there is no such folder.
    """
    damaged = {}
    work_dir = _existing(work_dir)
    for folder in job_folders(work_dir):
        try:
            load_record(folder)
        except MissingInputError:
            continue
        except InputError as error:
            reason = str(error).removeprefix(f'{folder / RESULT}').lstrip(': ')
            damaged[plain_text(str(folder.relative_to(work_dir)))] = plain_text(reason)
    return damaged


def read_failures(work_dir: Path) -> dict[str, str]:
    """Read why jobs failed: folder relative to the suite's → last log lines.

    Args:
        work_dir: Folder of the suite.
    """
    failures = {}
    for folder in job_folders(work_dir):
        if (reason := read_failure(folder)) is not None:
            failures[plain_text(str(folder.relative_to(work_dir)))] = reason
    return failures


def read_failure(folder: Path) -> str | None:
    """Read why a job failed; ``None`` if nothing says that it did."""
    content = read_json(folder / FAILURE)
    if not content:
        return None
    return plain_text(content.get('reason')) or 'the reason is not readable'


def _existing(work_dir: str | Path) -> Path:
    if not Path(work_dir).is_dir():
        raise MissingInputError(
            f'no folder {work_dir}; pass the --work-dir of msbreg transfer'
        )
    return Path(work_dir)


def job_folders(work_dir: Path) -> Iterator[Path]:
    """Yield ``<task>/<checkpoint>/seed<N>`` below a suite's folder, sorted."""
    folders = (path for path in work_dir.glob('[!.]*/*/seed*') if path.is_dir())
    yield from sorted(folders, key=lambda path: (path.parent, _seed(path)))


def _seed(folder: Path) -> int:
    digits = folder.name.removeprefix('seed')
    return int(digits) if digits.isdigit() else -1
