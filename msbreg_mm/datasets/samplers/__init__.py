"""Samplers that give each image the key of its random draws."""

from msbreg_mm.datasets.samplers.keyed_reading import KeyedReader, SampleIndex
from msbreg_mm.datasets.samplers.seeded_sampler import (
    SeededSampler,
    drop_worker_settings,
    use_seeded_sampler,
)
from msbreg_mm.datasets.samplers.skipping_batch_sampler import SkippingBatchSampler

__all__ = [
    'KeyedReader',
    'SampleIndex',
    'SeededSampler',
    'SkippingBatchSampler',
    'drop_worker_settings',
    'use_seeded_sampler',
]
