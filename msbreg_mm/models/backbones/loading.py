"""Build the backbone that a checkpoint belongs to."""

from typing import Any

from msbreg_mm.checkpoints import CheckpointError, MatchReport
from msbreg_mm.checkpoints.files import PathLike
from msbreg_mm.checkpoints.loading import check_finite
from msbreg_mm.checkpoints.reading import Source, read_checkpoint
from msbreg_mm.checkpoints.resolving import blueprint
from msbreg_mm.models.backbones.timm_backbone import TimmBackbone


def load_backbone_model(
    path: PathLike,
    arch: str | None = None,
    *,
    source: Source | None = None,
    trust: bool = False,
    out_indices: tuple[int, ...] | None = None,
    **model_args: Any,
) -> TimmBackbone:
    """Build the backbone of any supported checkpoint and load it.

    Args:
        path: A file, or a Hugging Face folder.
        arch: timm's name of the architecture, where the file does not say it, e.g.
            ``'vit_base_patch16_224'``.
        source: ``'online'`` or ``'target'`` network; by default the one that the
            method's authors evaluate.
        trust: Allow a pickle to run the code that it brings along.
        out_indices: Stages or blocks whose maps are returned, see
            :class:`~msbreg_mm.models.backbones.TimmBackbone`.
        model_args: Arguments of ``timm.create_model`` ahead of what the file says,
            e.g. ``num_heads=6`` or ``act_layer='quick_gelu'``.

    Returns:
        The backbone in evaluation mode. Called with images (N, 3, H, W) it returns
        maps (N, C, h, w), with ``forward_features`` tokens and the pooled vector,
        too: the numbers of the checkpoint's own library at any image size. Its
        ``report`` says what was loaded, its ``config`` builds it again.

    Raises:
        CheckpointError: If the file cannot be read, its architecture is unknown, or
            a tensor of it is missing, of another shape or without a place.
    """
    ckpt = read_checkpoint(path, trust=trust, source=source)
    plan = blueprint(ckpt, arch, **model_args)
    check_finite(path, plan.state)
    config = plan.arguments()
    if out_indices is not None:
        config['out_indices'] = out_indices
    model = TimmBackbone(**config)
    missing, unexpected = model.net.load_state_dict(plan.state, strict=False)
    missing = [key for key in missing if not key.endswith('num_batches_tracked')]
    if missing or unexpected:
        raise CheckpointError(
            f'{path} does not fit {plan.model_name}: missing {missing}, unexpected '
            f'{unexpected}; pass arch=…'
        )
    report = MatchReport.of(ckpt)
    report.matched = list(plan.state)
    report.notes += plan.notes
    model.report, model.config = report, config
    model.requires_grad_(True)
    return model.eval()
