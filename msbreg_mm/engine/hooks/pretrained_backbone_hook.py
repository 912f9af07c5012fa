"""Fills the backbone from a checkpoint of any known format."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from msbreg_mm.checkpoints.reference import RANDOM
from msbreg_mm.registry import HOOKS
from msbreg_mm.runs.folder import MATCH_REPORT
from msbreg_mm.utils.errors import MissingInputError, OptionError
from msbreg_mm.utils.files import write_json
from msbreg_mm.utils.upstream import unwrap

if TYPE_CHECKING:
    from msbreg_mm.checkpoints import MatchReport


@HOOKS.register_module()
class PretrainedBackboneHook(Hook):
    """Loads the backbone after initialisation, and never when a run resumes.

    What matched is logged and written to ``checkpoint_report.json`` in the work
    directory: the value of ``checkpoint`` and the fields of
    :class:`msbreg_mm.checkpoints.MatchReport`.

    Args:
        checkpoint: File or folder in any format that
            :mod:`msbreg_mm.checkpoints` reads, or ``'random'`` to keep the
            initial weights and to say so in the report.
        allow_partial: Accept a checkpoint that does not fill the backbone.
        trust: Allow pickles that run code (never for files of strangers).

    Raises:
        OptionError: If ``checkpoint`` is empty.
        MissingInputError: If it is not there.
    """

    # The target network, among others, is copied from the loaded backbone.
    priority = 'HIGH'

    def __init__(
        self, checkpoint: str, allow_partial: bool = False, trust: bool = False
    ) -> None:
        if not str(checkpoint):
            raise OptionError(f"checkpoint is empty; name a file or '{RANDOM}'")
        # Now, not after the data sets have been built.
        if str(checkpoint) != RANDOM and not Path(checkpoint).expanduser().exists():
            raise MissingInputError(
                f"no checkpoint {checkpoint}; pass a file, a folder or '{RANDOM}'"
            )
        self.checkpoint = str(checkpoint)
        self.allow_partial = allow_partial
        self.trust = trust
        self._report: MatchReport | None = None

    def before_train(self, runner: Runner) -> None:
        """Load the weights and report."""
        if runner.iter > 0:
            runner.logger.info(
                f'Resumed at iteration {runner.iter}: the backbone keeps its weights, '
                f'{self.checkpoint} is not loaded again.'
            )
            return
        report = {'checkpoint': self.checkpoint}
        if self.checkpoint == RANDOM:
            runner.logger.info('The backbone keeps its random initial weights.')
        else:
            report |= self._load(runner)
        if is_main_process():
            write_json(Path(runner.work_dir) / MATCH_REPORT, report)

    def _load(self, runner: Runner) -> dict:
        # Reading foreign formats costs imports that other runs do not need.
        from msbreg_mm.checkpoints import load_backbone

        model = unwrap(runner.model)
        report = load_backbone(
            model,
            Path(self.checkpoint).expanduser(),
            allow_partial=self.allow_partial,
            trust=self.trust,
        )
        runner.logger.info(report.summary())
        self._report = report
        return report.to_dict()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Prove before the first step that the weights are still there."""
        if self._report is not None:
            from msbreg_mm.checkpoints import verify_loaded

            verify_loaded(unwrap(runner.model), self._report)
            self._report = None
