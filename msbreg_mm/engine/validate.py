"""Make up for a final validation that an interruption has swallowed.

``python -m msbreg_mm.engine.validate WORK_DIR`` scores the last checkpoint of a
run on its validation set. A run killed between its last checkpoint and its last
validation needs it: mmengine resumes, finds nothing left to train and ends.
"""

import argparse
from pathlib import Path

from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings

from msbreg_mm.runs.folder import FINAL_VALIDATION, find_resumable
from msbreg_mm.runs.run_config import read_run_config
from msbreg_mm.utils.errors import MissingInputError, short_input_errors
from msbreg_mm.utils.files import write_json


def validate(work_dir: Path) -> dict[str, float]:
    """Score the last checkpoint of a run.

    Args:
        work_dir: Work directory of the run.

    Returns:
        Metrics; they are also written to ``final_validation.json``.

    Raises:
        MissingInputError: If there is no checkpoint or no config of the run.
    """
    from msbreg_mm.checkpoints import verify_resumable

    checkpoint = find_resumable(work_dir)
    if checkpoint is None:
        raise MissingInputError(f'{work_dir} has no checkpoint of a run')
    verify_resumable(checkpoint)
    cfg = read_run_config(work_dir)
    import_modules_from_strings(**(cfg.get('custom_imports') or {'imports': []}))
    # An own folder: these logs are no part of the run's curves.
    cfg.merge_from_dict({'work_dir': str(work_dir / 'validation'), 'resume': False})
    cfg.load_from = None
    runner = Runner.from_cfg(cfg)
    runner.load_checkpoint(str(checkpoint), strict=True)
    metrics = {key: float(value) for key, value in runner.val().items()}
    write_json(
        work_dir / FINAL_VALIDATION,
        {'checkpoint': checkpoint.name, 'metrics': metrics},
    )
    return metrics


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', type=Path, help='work directory of the run')
    with short_input_errors():
        validate(parser.parse_args().work_dir)
