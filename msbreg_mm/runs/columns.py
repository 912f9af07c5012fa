"""The columns of tables: what a config names, a record keeps and a page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from msbreg_mm.utils.errors import OptionError

# By the last word of the key; what is not named here is better when it is more.
_NEITHER = {
    'effective_rank', 'participation_ratio', 'largest_share', 'uniformity', 'alignment',
    'std', 'l2', 'unconverged', 'rank',
}  # fmt: skip
_LESS = ('loss', 'error')
# What upstream's evaluators and this project's probes log as fractions, and what not.
_FRACTIONS = ('coco/', 'pascal_voc/')
_AS_SHOWN = (
    'accuracy/', 'single-label/', 'multi-label/', 'knn/', 'logistic/', 'svm/',
    'fewshot/', 'geometry/', 'probe/', 'mIoU', 'mAcc', 'aAcc', 'mDice', 'mFscore',
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A number of every run.

    A config writes it as ``(key, title, scale)``, ``(key, title, scale, better)``, or
    ``(key, title)`` where the key says whether it is a fraction; a record keeps
    ``(key, title, scale)``, and the direction where the key does not say it.

    Attributes:
        key: Name in mmengine's ``scalars.json``, e.g. ``'coco/bbox_mAP'``; distinct
            within a table.
        title: Title.
        scale: Factor from the logged value to the shown one; 100 turns the
            fractions of mmdet's COCO and VOC metrics into percent.
        better: 1 if more is better, -1 if less is, 0 if neither (an effective rank);
            ``None`` takes what the key's last word says: neither for measures of
            geometry, less for a loss or an error, else more.
        unit: Shown after the title where it is not percent.
        digits: Digits after the point.
        compared: Whether tables show its differences.
    """

    key: str
    title: str
    scale: float = 100.0
    better: int | None = None
    unit: str = ''
    digits: int = 1
    compared: bool = True

    def __post_init__(self) -> None:
        if self.better is None:
            object.__setattr__(self, 'better', _direction(self.key))
        if self.better not in (-1, 0, 1):
            raise OptionError(
                f'column {self.key!r}: better must be 1 (more), -1 (less) or 0 '
                f'(neither), got {self.better!r}'
            )

    @property
    def heading(self) -> str:
        """Title with the unit."""
        return f'{self.title}, {self.unit}' if self.unit else self.title

    @classmethod
    def read(cls, item: Any) -> 'Column':
        """Read what a config or a record says.

        Args:
            item: ``(key, title)``, ``(key, title, scale)`` or ``(key, title, scale,
                better)``.

        Raises:
            OptionError: If it is something else, or has no scale and the key does not
                say it.
        """
        if isinstance(item, Column):
            return item
        if isinstance(item, str) or not 2 <= len(item) <= 4:
            raise OptionError(
                f'{item!r} is no column; write (key, title), (key, title, scale) or '
                "(key, title, scale, better), e.g. ('coco/bbox_mAP', 'box AP')"
            )
        scale = float(item[2]) if len(item) > 2 else _scale(str(item[0]))
        better = int(item[3]) if len(item) > 3 else None
        return cls(str(item[0]), str(item[1]), scale, better)

    @property
    def stored(self) -> tuple[str, str, float]:
        """What a record keeps of it."""
        return self.key, self.title, self.scale

    def shown(self, metrics: Any) -> float | None:
        """Value among logged metrics as tables show it; ``None`` if absent.

        COCO's evaluation writes -1 where there is no ground truth, e.g. for the AP of
        large objects.

        Args:
            metrics: Key → logged value.
        """
        value = metrics.get(self.key)
        if value is None or (value == -1 and self.key.startswith('coco/')):
            return None
        return float(value) * self.scale


def unusual(columns: Sequence[Column]) -> dict[str, int]:
    """Directions that the keys do not say: key → 1, -1 or 0."""
    return {c.key: c.better or 0 for c in columns if c.better != _direction(c.key)}


def read_columns(
    items: Sequence[Any], better: Mapping[str, int] | None = None
) -> list[Column]:
    """Read the columns of a record.

    Args:
        items: ``(key, title, scale)``.
        better: Directions that the keys do not say.
    """
    columns = [Column.read(item) for item in items]
    return [replace(c, better=(better or {}).get(c.key, c.better)) for c in columns]


def _scale(key: str) -> float:
    if key.startswith(_FRACTIONS):
        return 100.0
    if key.startswith(_AS_SHOWN):
        return 1.0
    raise OptionError(
        f'nothing says whether {key!r} is a fraction or a percentage; write (key, '
        'title, scale): 100 turns a fraction into percent, 1 shows it as it is'
    )


def _direction(key: str) -> int:
    word = key.rsplit('/', 1)[-1]
    if word in _NEITHER:
        return 0
    return -1 if word.endswith(_LESS) else 1
