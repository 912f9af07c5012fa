"""Hooks: everything that happens or changes over the time of a training run."""

from msbreg_mm.engine.hooks.channels_last_hook import ChannelsLastHook
from msbreg_mm.engine.hooks.class_check_hook import RunCheckHook
from msbreg_mm.engine.hooks.embedding_monitor_hook import (
    EmbeddingCollapseError,
    EmbeddingMonitorHook,
)
from msbreg_mm.engine.hooks.loss_weight_schedule_hook import LossWeightScheduleHook
from msbreg_mm.engine.hooks.non_finite_hook import DivergedError, NonFiniteHook
from msbreg_mm.engine.hooks.online_probe_hook import OnlineProbeHook
from msbreg_mm.engine.hooks.precise_bn_hook import PreciseBNHook
from msbreg_mm.engine.hooks.pretrained_backbone_hook import PretrainedBackboneHook
from msbreg_mm.engine.hooks.resumable_checkpoint_hook import ResumableCheckpointHook
from msbreg_mm.engine.hooks.target_ema_hook import TargetEMAHook
from msbreg_mm.engine.hooks.trajectory_hook import TrajectoryHook

__all__ = [
    'ChannelsLastHook',
    'DivergedError',
    'EmbeddingCollapseError',
    'EmbeddingMonitorHook',
    'LossWeightScheduleHook',
    'NonFiniteHook',
    'OnlineProbeHook',
    'PreciseBNHook',
    'PretrainedBackboneHook',
    'ResumableCheckpointHook',
    'RunCheckHook',
    'TargetEMAHook',
    'TrajectoryHook',
]
