"""Learning rates that fall with the depth of a layer, for detectors."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from torch import nn

from msbreg_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS
from msbreg_mm.utils.errors import OptionError


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class BackboneLayerDecayConstructor(LearningRateDecayOptimWrapperConstructor):
    """mmpretrain's layer-wise decay for models whose backbone knows its layers.

    mmpretrain asks the whole model for ``get_layer_depth``, which only its
    classifiers have. Here the backbone is asked. With L layers and a decay d, layer l
    (from 1) trains with ``lr * d ** (L + 1 - l)``, patch and position embedding with
    ``lr * d ** (L + 1)``, all else (neck, heads) with ``lr``; as detectron2's
    ``get_vit_lr_decay_rate``, Li et al. 2022, arXiv 2203.16527.

    ``paramwise_cfg`` takes the fields of mmpretrain's constructor:
    ``layer_decay_rate``, ``norm_decay_mult``, ``bias_decay_mult``,
    ``flat_decay_mult`` and ``custom_keys``.
    """

    def add_params(
        self,
        params: list[dict],
        module: nn.Module,
        prefix: str = '',
        get_layer_depth: Callable | None = None,
        **kwargs: Any,
    ) -> None:
        """Add the parameters of ``module``, each with its own group.

        Args:
            params: Parameter groups so far; changed in place.
            module: The model, or a part of it.
            prefix: Name of the part, with its final dot.
            get_layer_depth: Depth and number of depths of a parameter's name.
            kwargs: Passed on.

        Raises:
            OptionError: If the backbone cannot tell its layers apart.
        """
        if get_layer_depth is None:
            backbone = getattr(module, 'backbone', None)
            depth_of = getattr(backbone, 'get_layer_depth', None)
            if depth_of is None:
                raise OptionError(
                    f'the backbone {type(backbone).__name__} of '
                    f'{type(module).__name__} has no get_layer_depth; layer-wise '
                    "decay needs one of mmpretrain's transformers"
                )
            get_layer_depth = partial(depth_of, prefix='backbone.')
        super().add_params(params, module, prefix, get_layer_depth, **kwargs)
