"""What an ablation config says: variants of a base, seeds, tasks."""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from msbreg_mm.ablation.expand import expand_grid, named_variants, short_names
from msbreg_mm.runs.changes import ChangeError, apply_changes
from msbreg_mm.utils.configs import CONFIG_ROOT, find_config
from msbreg_mm.utils.errors import MissingInputError, OptionError

_KEYS = {
    'base', 'changes', 'description', 'grid', 'reference', 'seeds', 'tasks', 'variants',
}  # fmt: skip
_BASE = 'base'


@dataclass(frozen=True)
class Variant:
    """One pretraining of an ablation.

    Attributes:
        name: Name in tables.
        base: Pretraining config; ``None`` for random initialisation.
        changes: Dotted key → value.
        levels: Factor → level, for variants of a grid; in the grid's order.
    """

    name: str
    base: Path | None
    changes: Mapping[str, Any] = field(default_factory=dict)
    levels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """Name of its folders."""
        return re.sub(r'[^\w.=-]+', '-', self.name).strip('.-') or '-'

    def config(self) -> dict[str, Any]:
        """Make the config of the variant.

        Raises:
            ChangeError: If a change does not fit its base.
            OptionError: If there is no base.
        """
        if self.base is None:
            raise OptionError(f'{self.name!r} is random initialisation, not a config')
        cfg = deepcopy(_read(self.base))
        try:
            apply_changes(cfg, self.changes)
        except ChangeError as error:
            raise ChangeError(
                f'variant {self.name!r} of {self.base}: {error}'
            ) from None
        return cfg


@dataclass(frozen=True)
class Ablation:
    """An ablation: what differs, over which seeds, scored how.

    Attributes:
        name: Stem of its file.
        variants: At least one, names distinct.
        seeds: Seeds of pretraining and evaluation.
        tasks: Names or paths of evaluation tasks.
        reference: Variant that the others are compared with, or a level of the last
            factor for comparisons at equal other factors; ``''`` for none.
        description: One line.
        factors: Factors of the grid, in order.
    """

    name: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    tasks: tuple[str, ...]
    reference: str = ''
    description: str = ''
    factors: tuple[str, ...] = ()

    def select(self, names: Sequence[str], seeds: Sequence[int]) -> 'Ablation':
        """Keep some variants, by names or patterns, and other seeds; empty keeps all.

        Raises:
            OptionError: If a name is unknown or a seed is repeated or negative.
        """
        known = [variant.name for variant in self.variants]
        found: set[str] = set()
        for name in names:
            # A name is no pattern, even with brackets in it.
            matches = [name] if name in known else fnmatch.filter(known, name)
            if not matches:
                raise OptionError(
                    f'no variant {name!r} in {self.name}; it has: '
                    + ', '.join(map(repr, known))
                )
            found.update(matches)
        chosen = tuple(v for v in self.variants if not names or v.name in found)
        return replace(
            self, variants=chosen, seeds=_check_seeds(seeds or self.seeds, self.name)
        )


@lru_cache
def _read(base: Path) -> dict[str, Any]:
    return Config.fromfile(base, import_custom_modules=False).to_dict()


def load_ablation(path: str | Path) -> Ablation:
    """Read an ablation config.

    An example::

        ablation = dict(
            base='../demo/msbreg_resnet18-w16_1xb64-coslr-10e_cifar10.py',
            variants={
                'view': {},
                'no singular value': {'model.head.terms.singular_value': None},
                'random init': None,
            },
            reference='view',
            seeds=(0, 1, 2),
            tasks=['probe_r18-w16_cifar10'],
        )

    ``grid`` gives factors whose levels are multiplied: ``{key: [values]}``, or
    ``{any name: {level: changes}}`` for keys that move together. Its variants come
    before those of ``variants``. ``'base'`` among the changes of a variant or level
    replaces the base; ``changes`` are made to every base first. Paths are relative
    to the file, or to the working directory.

    Args:
        path: Python config; ``_base_`` works as in mmengine.

    Returns:
        The ablation; every change has been tried on its base.

    Raises:
        MissingInputError: If the file or a base is not there.
        OptionError: If something is missing, unknown, repeated or malformed.
        ChangeError: If a change names a key that its base does not have.
    """
    path = find_config(path)
    if not path.is_file():
        raise MissingInputError(
            f'no ablation {path}; the shipped ones are in {CONFIG_ROOT}/ablations'
        )
    about = Config.fromfile(path, import_custom_modules=False).to_dict().get('ablation')
    if not isinstance(about, Mapping):
        raise OptionError(f'{path} does not define ablation = dict(…)')
    if unknown := sorted(set(about) - _KEYS):
        raise OptionError(
            f'{path}: ablation has no {unknown[0]!r}; it takes '
            + ', '.join(sorted(_KEYS))
        )
    grid = about.get('grid') or {}
    named = [
        *expand_grid(grid, path),
        *named_variants(about.get('variants') or {}, path),
    ]
    variants = [_with_base(*one, about, path) for one in named]
    ablation = Ablation(
        name=path.stem,
        variants=tuple(variants),
        seeds=_check_seeds(about.get('seeds', (0, 1, 2)), path),
        tasks=_check_tasks(about.get('tasks'), path),
        reference=about.get('reference', ''),
        description=about.get('description', ''),
        factors=tuple(short_names(grid)[key] for key in grid),
    )
    _check(ablation, path)
    return ablation


def _with_base(
    name: str, changes: dict | None, levels: dict, about: Mapping, path: Path
) -> Variant:
    if changes is None:
        return Variant(name, None)
    base = changes.pop(_BASE, about.get(_BASE))
    if not base:
        raise OptionError(f'{path}: variant {name!r} has no base config')
    for file in (path.parent / base, find_config(base)):
        if file.is_file():
            changes = {**(about.get('changes') or {}), **changes}
            return Variant(name, file, changes, levels)
    raise MissingInputError(f'{path}: no base config {base} for variant {name!r}')


def _check_seeds(seeds: Any, where: Any) -> tuple[int, ...]:
    seeds = tuple(seeds) if isinstance(seeds, (list, tuple)) else (seeds,)
    if (
        not seeds
        or any(not isinstance(seed, int) or seed < 0 for seed in seeds)
        or len(set(seeds)) < len(seeds)
    ):
        raise OptionError(
            f'{where}: seeds must be distinct whole numbers from 0, got {list(seeds)}'
        )
    return seeds


def _check_tasks(tasks: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(tasks, (list, tuple)) or not tasks:
        raise OptionError(
            f'{path}: tasks must list at least one evaluation task, e.g. '
            "['probe_r18-w16_cifar10'], got {tasks!r}"
        )
    return tuple(
        str(path.parent / task) if (path.parent / task).is_file() else task
        for task in tasks
    )


def _check(ablation: Ablation, path: Path) -> None:
    names = [variant.name for variant in ablation.variants]
    if not names:
        raise OptionError(f'{path}: give variants or a grid')
    slugs = [variant.slug.lower() for variant in ablation.variants]
    for index, slug in enumerate(slugs):
        if slug in slugs[:index]:
            other = names[slugs.index(slug)]
            raise OptionError(
                f'{path}: variants {other!r} and {names[index]!r} would share a '
                'folder; rename one'
            )
    levels = {
        str(level) for v in ablation.variants for level in [*v.levels.values()][-1:]
    }
    if ablation.reference and ablation.reference not in {*names, *levels}:
        raise OptionError(
            f'{path}: reference {ablation.reference!r} is neither a level of the last '
            'factor nor one of the variants: ' + ', '.join(map(repr, names))
        )
    for variant in ablation.variants:
        if variant.base is not None:
            variant.config()
