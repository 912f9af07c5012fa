"""Keys that a config does not hold but whose reader takes: told from typing errors."""

import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msbreg_mm.runs.changes import ADD, ChangeError, deeper
from msbreg_mm.utils.upstream import import_scope

# Dicts without a type that mmengine reads by name: last part of the key → keys.
_UNTYPED: dict[str, frozenset[str]] = {
    'randomness': frozenset({'seed', 'diff_rank_seed', 'deterministic'}),
    'env_cfg': frozenset({'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'}),
    'auto_scale_lr': frozenset({'enable', 'base_batch_size'}),
    'clip_grad': frozenset({'max_norm', 'norm_type', 'error_if_nonfinite', 'foreach'}),
    'paramwise_cfg': frozenset(
        {
            'custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult',
            'flat_decay_mult', 'dwconv_decay_mult', 'dcn_offset_lr_mult',
            'bypass_duplicate', 'num_layers', 'decay_rate', 'decay_type',
        }
    ),
}  # fmt: skip
_LOADER = frozenset({'dataset', 'sampler', 'batch_sampler', 'num_batch_per_epoch'})
# Dicts whose keys are the user's own names.
_FREE = {'custom_keys', 'default_hooks', 'metainfo'}


def check_options(cfg: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Refuse ``--cfg-options`` that nothing would read.

    A key is known if the config holds it, or if the class that is configured at
    its place takes it (``model.backbone.frozen_stages`` of a ResNet). ``+key`` is
    taken without a look, for dicts that upstream reads by name.

    Args:
        cfg: Config before the changes.
        options: Dotted key → value.

    Raises:
        ChangeError: If a key is unknown; the message names the nearest.
    """
    for key in options:
        if not key.startswith(ADD):
            _check(cfg, key)


def plain_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the ``+`` from keys that :func:`check_options` has let pass."""
    return {key.removeprefix(ADD): value for key, value in options.items()}


def nearest(name: str, known: Sequence[str], inside: Sequence[str] = ()) -> str:
    """Say which known names are meant, or which ones inside them, or all there are."""
    close = difflib.get_close_matches(name, known, n=3) or inside
    quoted = ', '.join(repr(one) for one in (close or list(known))[:12])
    return f'did you mean {quoted}?' if close else f'it has {quoted or "nothing"}.'


def _check(cfg: Mapping[str, Any], key: str) -> None:
    node: Any = cfg
    parts = key.split('.')
    for depth, part in enumerate(parts):
        if isinstance(node, (list, tuple)):
            if not part.lstrip('-').isdigit() or not -len(node) <= int(part) < len(
                node
            ):
                raise ChangeError(
                    f'no key {key!r}: {".".join(parts[:depth])} is a list of '
                    f'{len(node)}, {part!r} is none of its indices'
                )
            node = node[int(part)]
        elif isinstance(node, Mapping):
            if part not in node:
                _check_new(cfg, node, parts, depth)
                return
            node = node[part]
        elif node is None:
            return  # switched off in the config; what it would take is not known
        else:
            raise ChangeError(
                f'no key {key!r}: {".".join(parts[:depth])} is {node!r}, it has no '
                f'{part!r}'
            )


def _check_new(
    cfg: Mapping[str, Any], node: Mapping[str, Any], parts: Sequence[str], depth: int
) -> None:
    part, place = parts[depth], parts[depth - 1] if depth else ''
    if place in _FREE:
        return
    taken = set(_taken(cfg, node, place))
    if part in taken:
        return
    known = [str(name) for name in node]
    known += sorted(taken - set(known) - {'self', 'args', 'kwargs'})
    where = '.'.join(parts[:depth]) or 'the config'
    key = '.'.join(parts)
    hint = nearest(part, known, deeper(node, part, where))
    raise ChangeError(
        f'no key {key!r}: {where} has no {part!r}; {hint} Write '
        f"'{ADD}{key}' for a key that is read all the same"
    )


def _taken(
    cfg: Mapping[str, Any], node: Mapping[str, Any], place: str
) -> Iterator[str]:
    """List what the reader of a dict takes."""
    if not place:
        from mmengine.runner import Runner

        yield from inspect.signature(Runner.__init__).parameters
        yield from ('sync_bn', 'find_unused_parameters', 'model_wrapper_cfg')
        yield from ('runner_type', 'resume', 'compile')
    elif place in _UNTYPED:
        yield from _UNTYPED[place]
    elif place.endswith('_dataloader'):
        from torch.utils.data import DataLoader

        yield from inspect.signature(DataLoader.__init__).parameters
        yield from _LOADER
    elif 'type' in node:
        yield from _arguments(_find_class(node['type'], str(cfg.get('default_scope'))))


def _arguments(cls: Any) -> Iterator[str]:
    """List the arguments of a class, up its bases as far as it hands them on."""
    if not inspect.isclass(cls):
        if callable(cls):
            yield from inspect.signature(cls).parameters
        return
    yield from ('_delete_', '_scope_')
    for base in cls.__mro__:
        if '__init__' not in vars(base) or base is object:
            continue
        parameters = inspect.signature(vars(base)['__init__']).parameters
        yield from parameters
        kinds = [parameter.kind for parameter in parameters.values()]
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            return


def _find_class(name: Any, scope: str) -> Any:
    """Find what a registry knows under a name; ``None`` if none does."""
    if not isinstance(name, str):
        return name
    import mmengine.registry as registries

    import_scope(scope)
    for registry in vars(registries).values():
        if isinstance(registry, registries.Registry):
            with registry.switch_scope_and_registry(scope) as own:
                if (found := own.get(name)) is not None:
                    return found
    return None
