"""Result records: one JSON file per finished job, whole or absent."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from msbreg_mm.runs.folder import FAILURE, RESULT
from msbreg_mm.utils.files import read_json, write_json

# Records of another layout are of no use to this version.
VERSION = 1


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
    write_json(folder / RESULT, asdict(record))
    (folder / FAILURE).unlink(missing_ok=True)


def read_record(folder: Path) -> Record | None:
    """Read a job's record; ``None`` if there is none of this version.

    Args:
        folder: Folder of the job.
    """
    content = read_json(folder / RESULT)
    if content is None or content.get('version') != VERSION:
        return None
    try:
        content['identity'] = Identity(**content['identity'])
        content['columns'] = [
            (str(key), str(title), float(scale))
            for key, title, scale in content['columns']
        ]
        return Record(**content)
    except (KeyError, TypeError, ValueError):
        return None


def read_records(work_dir: str | Path) -> list[StoredRecord]:
    """Read all records below a suite's folder, in a fixed order.

    Args:
        work_dir: Folder of the suite.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    work_dir = Path(work_dir)
    if not work_dir.is_dir():
        raise FileNotFoundError(
            f'no folder {work_dir}; pass the --work-dir of tools/transfer.py'
        )
    found = ((read_record(folder), folder) for folder in job_folders(work_dir))
    return [StoredRecord(record, folder) for record, folder in found if record]


def read_failures(work_dir: Path) -> dict[str, str]:
    """Read why jobs failed: folder relative to the suite's → last log lines.

    Args:
        work_dir: Folder of the suite.
    """
    failures = {}
    for folder in job_folders(work_dir):
        if content := read_json(folder / FAILURE):
            failures[str(folder.relative_to(work_dir))] = str(content.get('reason'))
    return failures


def job_folders(work_dir: Path) -> Iterator[Path]:
    """Yield ``<task>/<checkpoint>/seed<N>`` below a suite's folder, sorted."""
    folders = (path for path in work_dir.glob('[!.]*/*/seed*') if path.is_dir())
    yield from sorted(folders, key=lambda path: (path.parent, _seed(path)))


def _seed(folder: Path) -> int:
    digits = folder.name.removeprefix('seed')
    return int(digits) if digits.isdigit() else -1
