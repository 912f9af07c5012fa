"""Intervals over test images from COCO's kept predictions."""

from pathlib import Path

from msbreg_mm.evaluation.outcomes import OUTCOMES
from msbreg_mm.reports.bootstrap import Replicates
from msbreg_mm.reports.uncertainty import cached_replicates, read_outcomes
from msbreg_mm.runs.folder import PREDICTIONS
from msbreg_mm.transfer.coco_data import run_coco
from msbreg_mm.transfer.details import COCO_KINDS, validation_set
from msbreg_mm.transfer.matches import match_detections


def read_replicates(folder: Path) -> dict[str, Replicates]:
    """Score a job on samples of its test images, or read that it was done.

    The evaluator's own outcomes are taken if there are any, else the predictions are
    matched by COCO's rule.

    Args:
        folder: Folder of the job.

    Returns:
        Metric → replicates; empty if the job kept nothing that allows it.

    Raises:
        InputError: If the run's config, annotations or predictions are gone or
            damaged.
    """
    if (folder / OUTCOMES).is_file():
        return read_outcomes(folder)
    files = {kind: folder / f'{PREDICTIONS}.{kind}.json' for kind in COCO_KINDS}
    files = {kind: file for kind, file in files.items() if file.is_file()}
    if not files:
        return {}
    return cached_replicates(
        folder,
        list(files.values()),
        lambda: [
            run_coco(file, match_detections, validation_set(folder), file, kind)
            for kind, file in files.items()
        ],
    )
