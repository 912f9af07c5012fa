"""What a pretraining config does, read from what it builds.

Each fact has the name of a row in docs/pretraining_recipes.md.
"""

import math
import re
from collections import OrderedDict
from functools import cache
from pathlib import Path
from unittest import mock

import mmpretrain.engine  # noqa: F401  registers LARS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmpretrain.registry import MODELS, TRANSFORMS
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from msbreg_mm.runs.config import LaunchOptions, resolve_config

CONFIGS = Path(__file__).parents[1] / 'configs'
NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


@cache
def resolved(name):
    return resolve_config(LaunchOptions(str(CONFIGS / f'{name}.py'), work_dir='unused'))


def norms_and_biases(model):
    """Names of the trained parameters of norms, by their class, and of biases."""
    return {
        f'{prefix}.{name}'
        for prefix, module in model.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.requires_grad and (isinstance(module, NORMS) or name == 'bias')
    }


class Recipe:
    """The facts of one config."""

    def __init__(self, name):
        self.cfg = resolved(name)
        # What a machine without a GPU replaces while it resolves a config.
        self.written = Config.fromfile(CONFIGS / f'{name}.py')
        # Iterations of an epoch while the schedule is played.
        self.iters = max(10, 1000 // self.cfg.train_cfg.max_epochs)
        self.stem = name.rpartition('/')[2]
        # Values of weights are no facts; drawing them takes seconds.
        with (
            mock.patch.object(nn.Linear, 'reset_parameters'),
            mock.patch.object(_ConvNd, 'reset_parameters'),
        ):
            self.model = MODELS.build(self.cfg.model)
        init_default_scope(self.cfg.default_scope)  # where LARS is
        self.wrapper = build_optim_wrapper(self.model, self.cfg.optim_wrapper)
        groups = self.wrapper.optimizer.param_groups
        group_of = {id(p): group for group in groups for p in group['params']}
        self.groups = {
            key: group_of[id(p)]
            for key, p in self.model.named_parameters()
            if p.requires_grad
        }
        self.pipeline = self.cfg.train_dataloader.dataset.pipeline
        self.views = TRANSFORMS.build(self.pipeline[0]).views

    # Batch and length are also in the file's name, except for the headline config.

    def images_per_step(self):
        named = re.search(r'_(\d+)xb(\d+)-', self.stem)
        gpus, images = map(int, named.groups()) if named else (16, 256)
        assert self.cfg.train_dataloader.batch_size == images
        assert self.cfg.auto_scale_lr.base_batch_size == gpus * images
        assert not self.cfg.auto_scale_lr.get('enable')
        return gpus * images

    def epochs(self):
        epochs = self.cfg.train_cfg.max_epochs
        named = re.search(r'-(\d+)e_', self.stem)
        assert epochs == (int(named.group(1)) if named else 200)
        return epochs

    # Optimizer.

    def optimizer(self):
        return type(self.wrapper.optimizer).__name__

    def weights(self):
        """The groups of everything but norms and biases, which must agree."""
        small = norms_and_biases(self.model)
        groups = [group for key, group in self.groups.items() if key not in small]
        for option in ('lr', 'weight_decay'):
            assert len({group[option] for group in groups}) == 1, option
        return groups[0]

    def momentum(self):
        group = self.weights()
        return group.get('momentum', group.get('betas'))

    def weight_decay(self):
        return self.weights()['weight_decay']

    def rate(self):
        return self.weights()['lr'] * 256 / self.images_per_step()

    def rate_of_norms_and_biases(self):
        rates = {self.groups[key]['lr'] for key in norms_and_biases(self.model)}
        assert len(rates) == 1
        return rates.pop() * 256 / self.images_per_step()

    def _excluded(self, keys):
        small = norms_and_biases(self.model)
        assert small
        if not keys:
            return 'nothing'
        assert keys == small, f'{sorted(keys ^ small)} are not treated like their kind'
        return 'norms and biases'

    def no_decay(self):
        return self._excluded(
            {key for key, group in self.groups.items() if not group['weight_decay']}
        )

    def no_adaptation(self):
        return self._excluded(
            {key for key, group in self.groups.items() if group.get('lars_exclude')}
        )

    # Schedule.

    @cache  # noqa: B019
    def curve(self):
        """Learning rates of all iterations as fractions of the largest.

        They are played on a stand-in of two layers, whose rates must move alike.
        """
        toy = OrderedDict(conv=nn.Conv2d(1, 1, 1), bn=nn.BatchNorm2d(1))
        wrapper = build_optim_wrapper(nn.Sequential(toy), self.cfg.optim_wrapper)
        by_epoch, by_iter = [], []
        for cfg in self.cfg.param_scheduler:
            cfg = dict(cfg)
            scheduler = PARAM_SCHEDULERS.get(cfg.pop('type'))
            if cfg.pop('convert_to_iter_based', False):
                made = scheduler.build_iter_from_epoch(
                    wrapper, **cfg, epoch_length=self.iters
                )
                by_iter.append(made)
            else:
                kind = by_epoch if cfg.get('by_epoch', True) else by_iter
                kind.append(scheduler(wrapper, **cfg))
        groups = wrapper.optimizer.param_groups
        rates = [[] for _ in groups]
        for iteration in range(self.cfg.train_cfg.max_epochs * self.iters):
            for seen, group in zip(rates, groups, strict=True):
                seen.append(group['lr'])
            for scheduler in by_iter + by_epoch * ((iteration + 1) % self.iters == 0):
                scheduler.step()
        curves = [[rate / max(seen) for rate in seen] for seen in rates]
        for other in curves[1:]:
            assert max(abs(a - b) for a, b in zip(curves[0], other, strict=True)) < 1e-6
        return curves[0]

    def warmup_epochs(self):
        return round(self.curve().index(1.0) / self.iters)

    def last_rate(self):
        return round(self.curve()[-1], 3)

    def schedule(self):
        """The shape between warm-up and end, against the formula of a cosine."""
        epochs, warmup = self.cfg.train_cfg.max_epochs, self.warmup_epochs()
        for iteration, found in enumerate(self.curve()):
            epoch = iteration / self.iters
            turn = (epoch - warmup) / (epochs - warmup)
            last = self.last_rate()
            expected = last + (1 - last) * (1 + math.cos(math.pi * turn)) / 2
            if epoch < warmup:
                expected = epoch / warmup
            assert abs(found - expected) < 0.16 / epochs**0.5, (epoch, found)
        return 'cosine'

    # Target network, precision, batch statistics.

    def target_momentum(self):
        hooks = self.cfg.get('custom_hooks', ())
        hooks = [hook for hook in hooks if hook.type == 'msbreg_mm.TargetEMAHook']
        start = hooks[0].momentum if hooks else 1 - self.cfg.model.base_momentum
        end = hooks[0].get('end_momentum', 1) if hooks else 1
        return f'{start:g} to {end:g}'

    def key_momentum(self):
        return 1 - self.cfg.model.momentum

    def precision(self):
        amp = self.written.optim_wrapper.type == 'AmpOptimWrapper'
        return 'mixed' if amp else 'float32'

    def batch_norm(self):
        return 'over all GPUs' if self.written.sync_bn == 'torch' else 'of each GPU'

    # Views.

    def _each(self, *names):
        texts = [
            ', '.join(f'{getattr(view, name):g}' for name in names)
            for view in self.views
        ]
        return ' / '.join(dict.fromkeys(texts))

    def view_sizes(self):
        return ' + '.join(f'{view.num_views} x {view.size}' for view in self.views)

    def crop_area(self):
        return ' / '.join(
            dict.fromkeys('{:g} to {:g}'.format(*v.crop_scale) for v in self.views)
        )

    def interpolation(self):
        return ' / '.join(dict.fromkeys(view.interpolation for view in self.views))

    def jitter(self):
        names = ('brightness', 'contrast', 'saturation', 'hue', 'jitter_prob')
        return self._each(*names)

    def grey(self):
        return self._each('gray_prob')

    def blur(self):
        return self._each('blur_prob')

    def solarize(self):
        return self._each('solarize_prob')

    # Heads.

    @staticmethod
    def _widths(module):
        layers = [m for m in module.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
        return '-'.join(
            str(n) for n in [layers[0].weight.shape[1], *map(len_of, layers)]
        )

    def projector(self):
        return self._widths(self.model.neck)

    def predictor(self):
        return self._widths(self.model.head.predictor)


def len_of(layer):
    return len(layer.weight)


FACTS = {
    'images per step': Recipe.images_per_step,
    'epochs': Recipe.epochs,
    'optimizer': Recipe.optimizer,
    'learning rate per 256 images': Recipe.rate,
    'the same of norms and biases': Recipe.rate_of_norms_and_biases,
    'momentum': Recipe.momentum,
    'weight decay': Recipe.weight_decay,
    'without decay': Recipe.no_decay,
    'without adaptation': Recipe.no_adaptation,
    'warm-up epochs': Recipe.warmup_epochs,
    'schedule': Recipe.schedule,
    'last learning rate': Recipe.last_rate,
    'precision': Recipe.precision,
    'batch norm': Recipe.batch_norm,
    'target momentum': Recipe.target_momentum,
    'key momentum': Recipe.key_momentum,
    'views': Recipe.view_sizes,
    'crop area': Recipe.crop_area,
    'interpolation': Recipe.interpolation,
    'jitter, probability': Recipe.jitter,
    'grey': Recipe.grey,
    'blur': Recipe.blur,
    'solarize': Recipe.solarize,
    'projector': Recipe.projector,
    'predictor': Recipe.predictor,
}
