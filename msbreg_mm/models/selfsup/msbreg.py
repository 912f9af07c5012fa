"""MSBReg: multiview centroid, singular value and Brownian diffusive losses."""

import copy
from collections.abc import Sequence
from itertools import groupby

import torch
from mmengine.dist import get_world_size
from mmpretrain.models.selfsup import BaseSelfSupervisor
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from msbreg_mm.registry import MODELS
from msbreg_mm.utils.errors import OptionError


@MODELS.register_module()
class MSBReg(BaseSelfSupervisor):
    """MSBReg on a BYOL-style target network.

    Moon et al., "An Embedding-Dynamic Approach to Self-supervised Learning",
    WACV 2023, arXiv 2207.03552. The online network (``backbone``, ``neck``)
    embeds all K views of an image, the target network (``target_backbone``,
    ``target_neck``) the global ones; the head compares the two and regularises
    the online embeddings. The target never receives a gradient and is moved by
    :class:`msbreg_mm.engine.hooks.TargetEMAHook` after each optimizer step, not
    here. Views of one size go through a network in one batch.

    Args:
        backbone: Config of any mmpretrain backbone.
        neck: Config of the projector, e.g. ``NonLinearNeck``.
        head: Config of :class:`msbreg_mm.models.heads.MSBRegHead`.
        num_target_views: How many of the leading views the target network
            sees, at least 1; the others (local crops) reach only the online
            network. Defaults to all views.
        data_preprocessor: Config; ``SelfSupDataPreprocessor`` by default.
        init_cfg: Initialization config of mmengine.

    Raises:
        OptionError: If ``num_target_views`` is below 1, or at training time if
            there are no views, fewer views than ``num_target_views``, or a
            single image to normalise over.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict,
        num_target_views: int | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        if num_target_views is not None and num_target_views < 1:
            raise OptionError(
                f'num_target_views must be at least 1, got {num_target_views}'
            )
        self.num_target_views = num_target_views
        self.target_backbone = copy.deepcopy(self.backbone).requires_grad_(False)
        self.target_neck = copy.deepcopy(self.neck).requires_grad_(False)

    def init_weights(self) -> None:
        """Initialise the online network and copy it to the target."""
        super().init_weights()
        self.target_backbone.load_state_dict(self.backbone.state_dict())
        self.target_neck.load_state_dict(self.neck.state_dict())

    def loss(
        self, inputs: Sequence[Tensor] | Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Compute the loss terms of one batch.

        Args:
            inputs: K views, each of shape (N, 3, H_k, W_k), normalised.
            data_samples: Unused; self-supervision needs no annotation.

        Returns:
            The head's loss terms, scalars.
        """
        views = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        num_target = self.num_target_views or len(views)
        self._check_views(views, num_target)
        online = self._embed(self.backbone, self.neck, views)
        with torch.no_grad():
            target = self._embed(
                self.target_backbone, self.target_neck, views[:num_target]
            )
        return self.head.loss(online, target)

    @staticmethod
    def _check_views(views: list[Tensor], num_target: int) -> None:
        if len(views) < num_target or not views:
            raise OptionError(
                f'MSBReg got {len(views)} views but its target network needs '
                f'{num_target}; check num_views of the pipeline and '
                'num_target_views of the model'
            )
        if views[0].shape[0] * get_world_size() < 2:
            raise OptionError(
                'MSBReg needs at least 2 images in a batch (batch normalisation '
                'and the singular value loss compare images), got '
                f'{views[0].shape[0]}; raise train_dataloader.batch_size or set '
                'drop_last=True'
            )

    @staticmethod
    def _embed(backbone: nn.Module, neck: nn.Module, views: list[Tensor]) -> Tensor:
        """Embed K views of N images, (K, N, D), one batch per run of one size."""
        embeddings = []
        for _, run in groupby(views, key=lambda view: view.shape):
            same_size = list(run)
            batch = neck(backbone(torch.cat(same_size)))[0]
            embeddings.append(batch.unflatten(0, (len(same_size), -1)))
        return torch.cat(embeddings)
