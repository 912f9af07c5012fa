"""Every detection transfer config trains two steps from a checkpoint and is scored."""

import math
from functools import cache
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from fake_data import write_coco, write_voc
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import MODELS
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from msbreg_mm.checkpoints import load_backbone
from msbreg_mm.datasets.subset import write_subsets
from msbreg_mm.datasets.voc_instances import voc_instances
from msbreg_mm.engine.launch import build_runner
from msbreg_mm.reports.published import published_rows
from msbreg_mm.runs.config import LaunchOptions, resolve_config
from msbreg_mm.runs.log import read_log
from msbreg_mm.suite.tasks import load_task

ROOT = Path(__file__).parents[1]
FOLDERS = [ROOT / 'configs' / 'transfer' / name for name in ('coco', 'voc')]
CONFIGS = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob('*'))}
# One FPN, one C4 and with it VOC's boxes and precise BN; the others are slow.
DEFAULT = ('mask-rcnn_r50-fpn_1x_coco', 'faster-rcnn_r50-c4_24k_voc0712')
EPOCH = 'mask-rcnn_r50-fpn-4conv1fc_12e_coco'
SIDE = 96


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    """All layouts of docs/data.md that the configs name, made by our own tools."""
    from mmdet.datasets import CocoDataset

    root = tmp_path_factory.mktemp('data')
    classes = CocoDataset.METAINFO['classes']
    for split in ('train2017', 'val2017'):
        file = f'annotations/instances_{split}.json'
        write_coco(root / 'coco', file, split, classes)
    train = root / 'coco/annotations/instances_train2017.json'
    write_subsets(train, root / 'coco/subsets', num_folds=1)
    write_voc(root / 'VOCdevkit/VOC2007', {'trainval': 2, 'test': 3})
    splits = {'trainval': 2, 'train': 4, 'val': 3}
    voc = write_voc(root / 'VOCdevkit/VOC2012', splits)
    for split in ('train', 'val'):
        file = voc / f'annotations/instances_{split}.json'
        voc_instances(voc, split, file, progress=False)
    return root


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Saves random weights as torchvision and timm would, when asked for."""
    folder = tmp_path_factory.mktemp('checkpoints')

    @cache
    def save(kind: str) -> Path:
        torch.manual_seed(1)
        if kind == 'vit':
            model = timm.create_model('vit_base_patch16_224', pretrained=False)
        else:
            model = torchvision.models.resnet50()
        state = model.state_dict()
        for key, value in state.items():
            if key.endswith('running_mean'):
                value.normal_(std=0.1)
            elif key.endswith('running_var'):
                value.uniform_(0.5, 2.0)
        torch.save(state, folder / f'{kind}.pth')
        return folder / f'{kind}.pth'

    return save


def tiny(config: Path, data: Path) -> dict:
    """Options that change sizes and lengths alone."""
    cfg = resolve_config(LaunchOptions(str(config), work_dir='unused'))
    options = {
        'data_root': str(data / Path(cfg.data_root).relative_to('data')),
        'train_cfg.val_interval': 2,
        'train_dataloader.batch_size': 2,
        'visualizer': None,
        # few proposals and samples: C4 sends each of them through layer4
        'model.train_cfg.rpn_proposal.max_per_img': 20,
        'model.train_cfg.rcnn.sampler.num': 8,
        'model.test_cfg.rpn.max_per_img': 10,
        # A detector of two steps is never sure.
        'model.test_cfg.rcnn.score_thr': 0.0,
    }
    if 'max_epochs' in cfg.train_cfg:
        options['train_cfg.max_epochs'] = 1  # of four images
        options['train_cfg.val_interval'] = 1
    else:
        options['train_cfg.max_iters'] = 2
    for name in ('train', 'val', 'test'):
        options[f'{name}_dataloader.num_workers'] = 0
        options[f'{name}_dataloader.persistent_workers'] = False
        dataset = cfg[f'{name}_dataloader'].dataset
        parts = dataset.get('datasets')
        prefixes = [f'.datasets.{i}' for i in range(len(parts))] if parts else ['']
        for prefix, part in zip(prefixes, parts or [dataset], strict=True):
            for index, step in enumerate(part.pipeline):
                key = f'{name}_dataloader.dataset{prefix}.pipeline.{index}'
                if step.type == 'RandomChoiceResize':
                    options[f'{key}.scales'] = [(SIDE, SIDE // 2), (SIDE, SIDE)]
                elif step.type in ('Resize', 'RandomResize'):
                    options[f'{key}.scale'] = (SIDE, SIDE)
                elif step.type == 'RandomCrop':
                    options[f'{key}.crop_size'] = (SIDE, SIDE)
    if 'vit' in config.stem:
        options['model.backbone.img_size'] = SIDE
        options['model.data_preprocessor.pad_size_divisor'] = SIDE
    return options


@cache
def read(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


class Start(Hook):
    """Keeps the state that training starts from."""

    priority = 'LOWEST'

    def before_train(self, runner):
        self.state = {k: v.clone() for k, v in runner.model.state_dict().items()}


def assert_loaded(state, checkpoint):
    """Every tensor of the backbone is in its place, layer4 of C4 in the head."""
    for key, value in read(checkpoint).items():
        if not key.startswith('fc.'):
            places = [f'backbone.{key}', f'roi_head.shared_head.{key}']
            (place,) = [place for place in places if place in state]
            assert torch.equal(state[place], value), place


def assert_trained(start, end, config, model):
    """What shall learn has learnt; what is frozen is as the checkpoint had it."""
    frozen = 'frozen' in config
    for name, parameter in model.named_parameters():
        in_backbone = name.startswith('backbone.')
        assert parameter.requires_grad != (frozen and in_backbone), name
    for name in start:
        if frozen and name.startswith('backbone.'):
            assert torch.equal(start[name], end[name]), name
    parts = {'backbone', 'rpn_head', 'roi_head.bbox_head', 'neck', 'roi_head.mask_head'}
    parts |= {'roi_head.shared_head.layer4', 'roi_head.shared_head.norm'}
    for part in parts - ({'backbone'} if frozen else set()):
        names = [name for name in start if name.startswith(f'{part}.')]
        changed = [name for name in names if not torch.equal(start[name], end[name])]
        assert bool(changed) == bool(names), part
    for name in end:
        if name.endswith('running_var'):
            kept = torch.equal(start[name], end[name])
            assert kept == (frozen and name.startswith('backbone.')), name


@pytest.mark.parametrize(
    'config',
    [
        pytest.param(name, marks=() if name in DEFAULT else pytest.mark.slow)
        for name in CONFIGS
    ],
)
def test_trains_two_steps_and_is_scored(config, data, checkpoint, tmp_path):
    weights = checkpoint('vit' if 'vit' in config else 'r50')
    options = LaunchOptions(
        str(CONFIGS[config]),
        work_dir=str(tmp_path / config),
        checkpoint=str(weights),
        seed=0,
        cfg_options=tiny(CONFIGS[config], data),
    )
    runner = build_runner(options)
    hook = Start()
    runner.register_hook(hook)
    runner.train()

    assert runner.iter == 2
    start, end = hook.state, runner.model.state_dict()
    if 'vit' not in config:
        assert_loaded(start, weights)
    assert_trained(start, end, config, runner.model)
    if any(type(hook).__name__ == 'PreciseBNHook' for hook in runner.hooks):
        norms = [m for m in runner.model.modules() if isinstance(m, _BatchNorm)]
        frozen = [
            name for name in end if name.startswith('backbone.') and 'var' in name
        ]
        count = len(norms) - (len(frozen) if 'frozen' in config else 0)
        text = ''.join(file.read_text() for file in tmp_path.rglob('*.log'))
        assert f'new statistics in {count} of {count} layers' in text
    log = read_log(tmp_path / config, by_iter=config != EPOCH)
    position, values = log.val[-1]
    assert position == (1 if config == EPOCH else 2)
    assert math.isfinite(log.last()['loss'])
    for metric in load_task(CONFIGS[config]).metrics:
        assert 0 <= values[metric.key] <= 1, metric.key
    if 'voc0712' in config:
        aps = [values[f'pascal_voc/AP{iou}'] for iou in range(50, 100, 5)]
        assert values['pascal_voc/mAP'] == pytest.approx(sum(aps) / 10, abs=5e-4)


@pytest.mark.slow
def test_position_embeddings_fill_the_canvas(checkpoint):
    """A ViT of 224 px goes into the detector of 1024 px; nothing else changes."""
    path = checkpoint('vit')
    config = CONFIGS['mask-rcnn_vit-b-sfp_100e-lsj_coco']
    cfg = resolve_config(LaunchOptions(str(config), work_dir='unused'))
    backbone = MODELS.build(cfg.model.backbone)
    report = load_backbone(backbone, path)
    assert report.complete
    source, own = read(path), backbone.state_dict()
    grid = source['pos_embed'][:, 1:].transpose(1, 2).unflatten(2, (14, 14))
    wanted = F.interpolate(grid, size=(64, 64), mode='bicubic', align_corners=False)
    torch.testing.assert_close(own['pos_embed'], wanted.flatten(2).transpose(1, 2))
    same = own['layers.11.attn.qkv.weight'], source['blocks.11.attn.qkv.weight']
    assert torch.equal(*same)
    backbone.eval()
    with torch.no_grad():
        (features,) = backbone(torch.zeros(1, 3, 64, 96))
    assert features.shape == (1, 768, 4, 6)


@cache
def read_config(name):
    return Config.fromfile(CONFIGS[name], import_custom_modules=False)


# docs/protocols.md: iterations, steps, rate, warm-up (length, factor), precise BN
RECIPES = {
    'mask-rcnn_r50-c4_1x_coco': (90, (60, 80), 0.02, (1000, 0.001), True),
    'mask-rcnn_r50-c4_2x_coco': (180, (120, 160), 0.02, (1000, 0.001), True),
    'mask-rcnn_r50-fpn_1x_coco': (90, (60, 80), 0.02, (1000, 0.001), False),
    'mask-rcnn_r50-fpn_2x_coco': (180, (120, 160), 0.02, (1000, 0.001), False),
    'mask-rcnn_r50-fpn-4conv1fc_1x_coco': (90, (60, 80), 0.02, (1000, 0.001), True),
    'mask-rcnn_r50-fpn-4conv1fc_2x_coco': (180, (120, 160), 0.02, (1000, 0.001), True),
    'faster-rcnn_r50-c4_24k_voc0712': (24, (18, 22), 0.02, (100, 0.001), True),
    'faster-rcnn_r50-c4_24k-vissl_voc0712': (24, (18, 22), 0.1, (1000, 0.3333), True),
}


@pytest.mark.parametrize('name', RECIPES)
def test_schedule_of_published_recipes(name):
    thousands, steps, rate, warmup, precise = RECIPES[name]
    cfg = read_config(name)
    first, second = cfg.param_scheduler
    assert cfg.train_cfg.type == 'IterBasedTrainLoop'
    assert cfg.train_cfg.max_iters == thousands * 1000
    assert second.milestones == [step * 1000 for step in steps]
    assert (first.end, first.start_factor) == warmup
    assert cfg.optim_wrapper.optimizer.lr == rate
    types = [hook.type for hook in cfg.get('custom_hooks') or ()]
    assert types == ['msbreg_mm.PreciseBNHook'] * precise


def test_every_config_stands_alone():
    """Own labels, a batch to scale by, and published rows beside their recipe only."""
    published = {*RECIPES, 'faster-rcnn_r50-c4_24k-mmselfsup_voc0712', EPOCH}
    # Nobody published these under the same recipe.
    published -= {'mask-rcnn_r50-fpn_1x_coco', 'mask-rcnn_r50-fpn_2x_coco'}
    published -= {'faster-rcnn_r50-c4_24k-vissl_voc0712'}
    about = {name: read_config(name).transfer for name in CONFIGS}
    assert len({task.protocol for task in about.values()}) == len(CONFIGS) == 20
    for name, task in about.items():
        assert f"protocol='{task.protocol}'" in CONFIGS[name].read_text(), name
        batch = 64 if 'vit' in name else 16
        assert read_config(name).auto_scale_lr.base_batch_size == batch
        rows = published_rows(task.protocol)
        assert bool(rows) == (name in published), name
        titles = {title for _, title in task.metrics}
        assert all(row.values.keys() <= titles for row in rows), name
