"""Child registries of scope ``msbreg_mm``; only those that the package uses.

Classes are written ``msbreg_mm.X`` in configs, so that pretraining
(``default_scope='mmpretrain'``) and detection (``'mmdet'``) share them.
"""

from mmengine import registry as _mmengine

SCOPE = 'msbreg_mm'

MODELS = _mmengine.Registry(
    'model', parent=_mmengine.MODELS, scope=SCOPE, locations=['msbreg_mm.models']
)
HOOKS = _mmengine.Registry(
    'hook', parent=_mmengine.HOOKS, scope=SCOPE, locations=['msbreg_mm.engine']
)
OPTIM_WRAPPERS = _mmengine.Registry(
    'optim_wrapper',
    parent=_mmengine.OPTIM_WRAPPERS,
    scope=SCOPE,
    locations=['msbreg_mm.engine'],
)
OPTIM_WRAPPER_CONSTRUCTORS = _mmengine.Registry(
    'optimizer wrapper constructor',
    parent=_mmengine.OPTIM_WRAPPER_CONSTRUCTORS,
    scope=SCOPE,
    locations=['msbreg_mm.engine.layer_decay'],
)
DATASETS = _mmengine.Registry(
    'dataset',
    parent=_mmengine.DATASETS,
    scope=SCOPE,
    locations=['msbreg_mm.datasets.in_memory'],
)
TRANSFORMS = _mmengine.Registry(
    'transform',
    parent=_mmengine.TRANSFORMS,
    scope=SCOPE,
    locations=['msbreg_mm.datasets.transforms'],
)
DATA_SAMPLERS = _mmengine.Registry(
    'data sampler',
    parent=_mmengine.DATA_SAMPLERS,
    scope=SCOPE,
    locations=['msbreg_mm.datasets.samplers'],
)
METRICS = _mmengine.Registry(
    'metric',
    parent=_mmengine.METRICS,
    scope=SCOPE,
    locations=['msbreg_mm.evaluation.voc_metric'],
)
FUNCTIONS = _mmengine.Registry(
    'function',
    parent=_mmengine.FUNCTIONS,
    scope=SCOPE,
    locations=['msbreg_mm.engine'],
)
LOOPS = _mmengine.Registry(
    'loop', parent=_mmengine.LOOPS, scope=SCOPE, locations=['msbreg_mm.engine']
)
# Probes of frozen features (msbreg_mm.evaluation.probes).
PROBES = _mmengine.Registry(
    'probe',
    parent=_mmengine.TASK_UTILS,
    scope=SCOPE,
    locations=['msbreg_mm.evaluation.probes'],
)
