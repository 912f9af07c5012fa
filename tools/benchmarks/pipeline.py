"""Views per second and core of multi-view pipelines, from JPEG files to tensors.

MultiViewAugment with PackInputs is compared with mmpretrain's BYOL pipeline (from its
own config), lightly's BYOLTransform (where installed) and BYOL's views written with
torchvision. All read the same files and make two views of an image. lightly and
torchvision also convert to float, which the others leave to the data preprocessor.
"""

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import skimage.data
import timing
import torch
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision import transforms as tv

from msbreg_mm.datasets.transforms import MultiViewAugment, byol_views
from msbreg_mm.datasets.transforms.reading import decode, read_bytes
from msbreg_mm.utils.upstream import import_scope

Pipeline = Callable[[str], object]

NUM_FILES = 16
# Width and height of the files, side of the views.
SETTINGS = [((500, 375), 224), ((96, 96), 96), ((32, 32), 32)]


def write_photographs(folder: Path, size: tuple[int, int]) -> list[str]:
    """Write resized pieces of photographs that installed packages ship as JPEG."""
    photographs = [
        skimage.data.astronaut(),
        skimage.data.chelsea(),
        skimage.data.coffee(),
        *load_sample_images().images,
    ]
    paths = []
    for index in range(NUM_FILES):
        photograph = photographs[index % len(photographs)]
        cut = 10 * (index // len(photographs))
        resized = cv2.resize(
            photograph[cut:, cut:, ::-1], size, interpolation=cv2.INTER_AREA
        )
        paths.append(str(folder / f'{size[0]}_{index}.jpg'))
        cv2.imwrite(paths[-1], resized, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return paths


def ours(size: int, exact_color: bool) -> Pipeline:
    """Return this project's pipeline."""
    from mmpretrain.datasets.transforms import PackInputs

    augment, pack = MultiViewAugment(byol_views(size), exact_color), PackInputs()
    return lambda path: pack(augment({'img_path': path}))


def mmpretrain(size: int) -> Pipeline:
    """Return the BYOL pipeline of mmpretrain's own config."""
    from mmcv.transforms import Compose

    init_default_scope('mmpretrain')
    base = get_config('mmpretrain::byol/byol_resnet50_16xb256-coslr-200e_in1k.py')
    steps: list[ConfigDict] = copy.deepcopy(base.train_dataloader.dataset.pipeline)
    for view in steps[1].transforms:
        view[0].scale = size
    pipeline = Compose(steps)
    return lambda path: pipeline({'img_path': path})


def lightly(size: int) -> Pipeline:
    """Return lightly's BYOL transform."""
    from lightly.transforms.byol_transform import (
        BYOLTransform,
        BYOLView1Transform,
        BYOLView2Transform,
    )

    transform = BYOLTransform(
        BYOLView1Transform(input_size=size), BYOLView2Transform(input_size=size)
    )
    return lambda path: transform(Image.open(path).convert('RGB'))


def torchvision(size: int) -> Pipeline:
    """Return BYOL's two views as torchvision's transforms on PIL images."""
    jitter = tv.ColorJitter(0.4, 0.4, 0.2, 0.1)
    blur = tv.GaussianBlur(23, (0.1, 2.0))

    def view(blur_prob: float, solarize_prob: float) -> Callable:
        return tv.Compose(
            [
                tv.RandomResizedCrop(size, interpolation=tv.InterpolationMode.BICUBIC),
                tv.RandomHorizontalFlip(),
                tv.RandomApply([jitter], 0.8),
                tv.RandomGrayscale(0.2),
                tv.RandomApply([blur], blur_prob),
                tv.RandomSolarize(128, solarize_prob),
                tv.ToTensor(),
            ]
        )

    views = [view(1.0, 0.0), view(0.1, 0.2)]

    def load(path: str) -> list[torch.Tensor]:
        image = Image.open(path).convert('RGB')
        return [make(image) for make in views]

    return load


def pipelines(size: int) -> dict[str, Pipeline]:
    """Return the pipelines to compare, by name."""
    found = {
        'decoding alone': lambda path: decode(read_bytes(path), path),
        'msbreg_mm': ours(size, exact_color=False),
        'msbreg_mm, exact colour': ours(size, exact_color=True),
        'mmpretrain': mmpretrain(size),
        'torchvision': torchvision(size),
    }
    try:
        found['lightly'] = lightly(size)
    except ImportError:
        print('lightly is left out: pip install lightly')
    return found


def main() -> None:
    """Parse the arguments, measure and report."""
    args = timing.parser(__doc__, repeats=15).parse_args()
    torch.set_num_threads(args.threads)
    import_scope('mmpretrain')
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for file_size, size in SETTINGS:
            paths = write_photographs(Path(folder), file_size)
            calls = {
                name: lambda load=load, paths=paths: [load(path) for path in paths]
                for name, load in pipelines(size).items()
            }
            found = timing.medians(calls, args.repeats)
            for name, milliseconds in found.items():
                rows.append(
                    {
                        'file': '{}x{}'.format(*file_size),
                        'view': size,
                        'pipeline': name,
                        'views/s': 2 * NUM_FILES * 1e3 / milliseconds,
                        'times slower': milliseconds / found['msbreg_mm'],
                    }
                )
    timing.report('two BYOL views of JPEG files on one core', rows, args)


if __name__ == '__main__':
    main()
