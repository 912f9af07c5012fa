"""How long a task trains."""

from dataclasses import dataclass

from mmengine.config import Config


@dataclass(frozen=True)
class Schedule:
    """How long a task trains.

    Attributes:
        unit: ``'epoch'`` or ``'iter'``.
        total: Number of epochs or iterations.
        batch_size: Images per process and step.
        log_interval: Iterations between two lines of ``scalars.json``.
    """

    unit: str
    total: int
    batch_size: int
    log_interval: int = 10

    def __str__(self) -> str:
        unit = 'iteration' if self.unit == 'iter' else 'epoch'
        plural = 's' * (self.total != 1)
        return f'{self.total:,} {unit}{plural}, batch {self.batch_size}'


def read_schedule(cfg: Config) -> Schedule:
    """Read how long a config trains.

    Args:
        cfg: Config with ``train_cfg`` and ``train_dataloader``.

    Raises:
        ValueError: If it names neither epochs nor iterations.
    """
    loop, loader = cfg.train_cfg, cfg.train_dataloader
    unit = 'epoch' if loop.get('max_epochs') else 'iter'
    total = loop.get('max_epochs') or loop.get('max_iters')
    if not total:
        raise ValueError(
            f'{cfg.filename}: train_cfg has neither max_epochs nor max_iters'
        )
    batch = loader.get('batch_size') or (loader.get('batch_sampler') or {}).get(
        'batch_size', 1
    )
    logger = (cfg.get('default_hooks') or {}).get('logger') or {}
    return Schedule(unit, int(total), int(batch), int(logger.get('interval', 10)))
