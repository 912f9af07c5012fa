"""A training loop that trains nothing: probes of frozen maps at boxes."""

import time
from functools import partial
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from msbreg_mm.engine.probe_loop import ProbeLoop
from msbreg_mm.evaluation.extraction import describe_dataset
from msbreg_mm.evaluation.object_images import object_images, read_boxes
from msbreg_mm.evaluation.probes.object_base import ObjectProbe
from msbreg_mm.registry import LOOPS
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.upstream import unwrap


@LOOPS.register_module()
class ObjectProbeLoop(ProbeLoop):
    """Runs object probes: each image goes through the network once for all of them.

    It stands in ``train_cfg`` as :class:`msbreg_mm.engine.probe_loop.ProbeLoop` does.
    The data sets are detection sets, whose pipeline reads an image and packs it
    (``LoadImageFromFile``, ``PackInputs``). Nothing is kept on disk; on several
    processes the first one does all.

    Args:
        runner: The runner.
        dataloader: Images that probes are fitted on; run through only if one fits.
        probes: Configs of probes derived from
            :class:`msbreg_mm.evaluation.probes.object_base.ObjectProbe`.
        max_epochs: 1.
        divisor: Sides of images are padded to a multiple of it.

    Raises:
        OptionError: If a probe is of another kind.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        probes: list[dict],
        max_epochs: int = 1,
        divisor: int = 16,
    ) -> None:
        super().__init__(runner, dataloader, probes, max_epochs)
        self.divisor = divisor
        for probe in self.probes:
            if not isinstance(probe, ObjectProbe):
                raise OptionError(
                    f'{type(probe).__name__} is no object probe; its loop is '
                    'msbreg_mm.ProbeLoop'
                )

    def _measure(self) -> dict[str, float]:
        metrics: dict[str, float] = {}
        if is_main_process():
            model = unwrap(self.runner.model)
            was_training = model.training
            model.eval()
            fitting = [probe for probe in self.probes if probe.fits]
            if fitting:
                self._go(model, fitting, self.dataloader, 'train')
            metrics = self._go(model, self.probes, self.runner.val_dataloader, 'val')
            model.train(was_training)
        results = [metrics]
        broadcast_object_list(results)
        return results[0]

    def _go(
        self, model: Any, probes: list[Any], loader: DataLoader, split: str
    ) -> dict[str, float]:
        """Show all images of a set to some probes."""
        dataset: Any = loader.dataset
        name = f'{split} ({describe_dataset(dataset)})'
        annotations = read_boxes(dataset, name)
        count = sum(len(boxes) for boxes, _ in annotations)
        classes = tuple(dataset.metainfo.get('classes') or ())
        seconds = dict.fromkeys(range(len(probes)), 0.0)
        for probe in probes:
            probe.begin(split, count, classes, int(self.runner.seed or 0))
        with_keys = any(probe.facet == 'key' for probe in probes)
        context = partial(self.runner.optim_wrapper.optim_context, model)
        begin = time.monotonic()
        images = object_images(
            model, loader, with_keys, self.divisor, context, annotations
        )
        for image in images:
            for number, probe in enumerate(probes):
                started = time.monotonic()
                probe.see(image)
                seconds[number] += time.monotonic() - started
        forward = time.monotonic() - begin - sum(seconds.values())
        metrics: dict[str, float] = {}
        for number, probe in enumerate(probes):
            started = time.monotonic()
            metrics |= probe.end()
            seconds[number] += time.monotonic() - started
        parts = ', '.join(
            f'{probe.name} {seconds[number]:.1f} s'
            for number, probe in enumerate(probes)
        )
        self.runner.logger.info(
            f'{name}: {len(dataset):,} images, reading and forward {forward:.1f} s, '
            f'{parts}'
        )
        return metrics
