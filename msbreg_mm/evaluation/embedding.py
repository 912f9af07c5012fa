"""From a config and a checkpoint to embeddings of images."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from msbreg_mm.checkpoints import CheckpointError, load_backbone
from msbreg_mm.checkpoints.families import flatten, strip
from msbreg_mm.checkpoints.files import open_path
from msbreg_mm.checkpoints.loading import check_finite
from msbreg_mm.checkpoints.reference import RANDOM
from msbreg_mm.evaluation.extraction import pool_features, project
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.random import seeded

LAYERS = ('backbone', 'neck')


class Embedder(nn.Module):
    """A backbone, or a backbone and projector, that embeds uint8 images.

    Args:
        model: Backbone, or a model with ``backbone`` and ``neck``.
        preprocessor: Config with ``mean``, ``std`` and ``to_rgb`` (mmdet's
            ``bgr_to_rgb``).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, preprocessor: Mapping[str, Any]) -> None:
        super().__init__()
        self.model: Any = model
        self.to_rgb = bool(
            preprocessor.get('to_rgb') or preprocessor.get('bgr_to_rgb', False)
        )
        mean = torch.tensor(preprocessor.get('mean') or [0.0] * 3)
        std = torch.tensor(preprocessor.get('std') or [1.0] * 3)
        self.register_buffer('mean', mean.view(-1, 1, 1))
        self.register_buffer('std', std.view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Embed a batch.

        Args:
            images: (N, 3, H, W) uint8.

        Returns:
            (N, D) float32: projector outputs, or what the backbone gives, pooled as
            for probes: :func:`~msbreg_mm.evaluation.extraction.pool_features`.
        """
        x = images.to(self.mean.device).float()
        x = x.flip(1) if self.to_rgb else x
        x = (x - self.mean) / self.std
        if hasattr(self.model, 'backbone'):
            return project(self.model, x)
        return pool_features(self.model(x))


def build_embedder(
    cfg: Config,
    checkpoint: str,
    layer: str = 'backbone',
    *,
    seed: int = 0,
    allow_partial: bool = False,
    trust: bool = False,
) -> tuple[Embedder, dict[str, Any]]:
    """Build a config's network and fill it from a checkpoint.

    Args:
        cfg: Resolved config, its scope imported.
        checkpoint: File or folder of any supported format, or ``'random'``.
        layer: ``'backbone'`` for pooled features, ``'neck'`` for the embeddings
            that the losses act on; the latter needs a checkpoint with the
            projector, which foreign formats lack.
        seed: Seed of random initial weights.
        allow_partial: Take a checkpoint that does not fill the backbone.
        trust: Allow pickles that run code.

    Returns:
        The network in evaluation mode, and its match report.

    Raises:
        CheckpointError: If the checkpoint does not fit, or holds NaN.
        OptionError: If the config has no such layer.
    """
    from mmengine.registry import MODELS

    if layer not in LAYERS:
        raise OptionError(f'layer must be one of {LAYERS}, got {layer!r}')
    for part in ('backbone', layer):
        if not (cfg.get('model') or {}).get(part):
            raise OptionError(f'the config has no model.{part} to embed images with')
    preprocessor = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
    with seeded(seed):
        model = MODELS.build(cfg.model if layer == 'neck' else cfg.model.backbone)
        if checkpoint == RANDOM:
            _initialise(model)
            report: dict[str, Any] = {'checkpoint': RANDOM}
        else:
            path = Path(checkpoint).expanduser()
            match = load_backbone(model, path, allow_partial=allow_partial, trust=trust)
            report = match.to_dict()
            if layer == 'neck':
                _load_neck(model.neck, path, trust)
    return Embedder(model, preprocessor or {}).eval(), report


@torch.no_grad()
def embed(network: nn.Module, images: Tensor, batch_size: int = 64) -> Tensor:
    """Embed images on the unit sphere.

    Args:
        network: In evaluation mode.
        images: (N, 3, H, W) uint8.
        batch_size: Images at once.

    Returns:
        Unit vectors (N, D) float32 on the CPU; a zero embedding stays zero.
    """
    parts = [network(part).cpu() for part in images.split(batch_size)]
    return F.normalize(torch.cat(parts), dim=-1)


@torch.no_grad()
def embed_batches(network: nn.Module, loader: Iterable[Any], count: int) -> Tensor:
    """Embed the first images that a loader of views gives, each in its first view.

    Args:
        network: In evaluation mode.
        loader: Batches with ``inputs``: (N, 3, H, W) uint8, or a list of them, one
            per view.
        count: At most so many images.

    Returns:
        Unit vectors (N, D) float32 on the CPU, N at most ``count``.
    """
    parts: list[Tensor] = []
    for batch in loader:
        views = batch['inputs']
        view = views if torch.is_tensor(views) else views[0]
        parts.append(embed(network, view, len(view)))
        if sum(map(len, parts)) >= count:
            break
    return torch.cat(parts)[:count]


def _initialise(model: nn.Module) -> None:
    """Draw initial weights; a config's own pretrained weights are left out."""
    for module in model.modules():
        init_cfg = getattr(module, 'init_cfg', None)
        if isinstance(init_cfg, Mapping) and init_cfg.get('type') == 'Pretrained':
            module.init_cfg = None  # type: ignore[assignment]
    if isinstance(model, BaseModule):
        logger = MMLogger.get_current_instance()
        level = logger.level
        logger.setLevel('WARNING')  # else a line per parameter
        try:
            model.init_weights()
        finally:
            logger.setLevel(level)


def _load_neck(neck: nn.Module, path: Path, trust: bool) -> None:
    """Fill the projector; all of it, or an error."""
    flat = {strip(k): v for k, v in flatten(open_path(path, trust=trust)).items()}
    own = neck.state_dict()
    wrong = [
        key
        for key, value in own.items()
        if f'neck.{key}' not in flat or flat[f'neck.{key}'].shape != value.shape
    ]
    if wrong:
        raise CheckpointError(
            f"{path} has no projector that fits: {len(wrong)} of the config's "
            f'{len(own)} tensors of model.neck are missing or of another shape, '
            f'e.g. neck.{wrong[0]}; use the config of its pretraining, or analyse the '
            'backbone (--layer backbone)'
        )
    state = {key: torch.as_tensor(flat[f'neck.{key}']) for key in own}
    check_finite(path, state)
    neck.load_state_dict(state)
