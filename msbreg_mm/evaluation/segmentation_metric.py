"""mIoU that keeps what each image contributed, and a few predictions to look at."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmseg.evaluation.metrics import IoUMetric

from msbreg_mm.evaluation.outcomes import OUTCOMES, SEGMENTATIONS, Pixels
from msbreg_mm.registry import METRICS
from msbreg_mm.utils.files import write_bytes

# The first of the list, whatever they show.
_PICTURES = 4


@METRICS.register_module()
class KeptIoUMetric(IoUMetric):
    """mmseg's IoUMetric that writes the areas of each image beside the run.

    Args:
        outfile_prefix: Path whose folder gets ``outcomes.npz`` and
            ``segmentations.npz``; by default nothing is written.
        **kwargs: See :class:`mmseg.evaluation.metrics.IoUMetric`.
    """

    def __init__(self, outfile_prefix: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outfile_prefix = outfile_prefix
        self._shown: list[tuple[str, np.ndarray, np.ndarray]] = []

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the areas of each image, and its path."""
        before = len(self.results)
        super().process(data_batch, data_samples)
        paths = [str(sample.get('img_path', '')) for sample in data_samples]
        added = self.results[before:]
        named = zip(added, paths, strict=bool(added))
        self.results[before:] = [(*areas, path) for areas, path in named]
        for sample, path in zip(data_samples, paths, strict=True):
            if len(self._shown) < _PICTURES and added and is_main_process():
                maps = (sample[f'{part}_sem_seg']['data'] for part in ('pred', 'gt'))
                found = [m.squeeze().cpu().numpy().astype(np.uint8) for m in maps]
                self._shown.append((path, found[0], found[1]))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score, and write what is kept.

        Args:
            results: Areas of intersection, union, prediction and truth, and path, of
                each image.
        """
        shown, self._shown = self._shown, []
        if self.outfile_prefix and results:
            folder = Path(self.outfile_prefix).parent
            areas = [np.stack([a[0], a[2], a[3]]).astype(np.int64) for a in results]
            classes = np.array(self.dataset_meta['classes'])
            paths = np.array([item[-1] for item in results])
            Pixels(paths, np.stack(areas), classes).save(folder / OUTCOMES)
            _write_maps(folder / SEGMENTATIONS, shown, classes)
        return super().compute_metrics([item[:4] for item in results])


def _write_maps(
    path: Path, shown: list[tuple[str, np.ndarray, np.ndarray]], classes: np.ndarray
) -> None:
    arrays: dict[str, Any] = {
        'classes': classes,
        'paths': np.array([path for path, _, _ in shown]),
    }
    for index, (_, predicted, truth) in enumerate(shown):
        arrays |= {f'predicted{index}': predicted, f'truth{index}': truth}
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes(path, buffer.getvalue())
