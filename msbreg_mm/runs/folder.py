"""Where things lie in the work directory of a run."""

from pathlib import Path

# What the suite writes: the record of a finished job, or why it failed.
RESULT = 'result.json'
FAILURE = 'failure.json'
# What the backbone took from its checkpoint.
MATCH_REPORT = 'checkpoint_report.json'
# Prefix of the files that mmdet's COCO metrics write at every validation.
PREDICTIONS = 'predictions'
# Of a run that was interrupted between its last checkpoint and its validation.
FINAL_VALIDATION = 'final_validation.json'

# One JSON object a line: when the run was resumed, where, and what changed.
RESUMES = 'resumes.jsonl'
# Of a training that a signal has ended and that waits for being resumed.
INTERRUPTED = 'interrupted.json'
# Held by the training that uses the folder.
TRAINING_LOCK = '.training.lock'


def find_resumable(work_dir: str | Path) -> Path | None:
    """Find the checkpoint from which a run resumes.

    ``last_checkpoint`` names it, unless a kill has left that pointer empty or
    dangling, or the work directory was moved: then it is the newest
    ``epoch_*.pth`` or ``iter_*.pth``. Each of these files is whole if
    :class:`~msbreg_mm.engine.atomic_backend.AtomicLocalBackend` wrote it.

    Args:
        work_dir: Work directory of the run.

    Returns:
        The checkpoint, or ``None`` if there is none to resume from.
    """
    work_dir = Path(work_dir)
    pointer = work_dir / 'last_checkpoint'
    if pointer.is_file() and (text := pointer.read_text(encoding='utf-8').strip()):
        for candidate in (Path(text), work_dir / Path(text).name):
            if candidate.is_file():
                return candidate
    saved = [*work_dir.glob('epoch_*.pth'), *work_dir.glob('iter_*.pth')]
    return max(saved, key=lambda path: path.stat().st_mtime_ns, default=None)


def find_scalars(work_dir: Path) -> list[Path]:
    """Find the logs of a run's attempts, oldest first."""
    return sorted(work_dir.glob('*/vis_data/scalars.json'))
