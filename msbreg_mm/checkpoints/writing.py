"""Write a backbone for other projects; a file is there whole or not at all."""

import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from msbreg_mm.checkpoints.architectures import compare_keys
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.files import PathLike
from msbreg_mm.checkpoints.format_names import Format
from msbreg_mm.checkpoints.layouts import BY_NAME
from msbreg_mm.checkpoints.loading import check_finite
from msbreg_mm.checkpoints.model_card import model_card, timm_config
from msbreg_mm.checkpoints.reading import Checkpoint, Source, read_checkpoint
from msbreg_mm.checkpoints.report import MatchReport, shorten

if TYPE_CHECKING:
    from msbreg_mm.checkpoints.blueprints import Blueprint

# (format, kind of backbone) -> layout; safetensors folders are timm's
_LAYOUTS = {
    ('mm', 'resnet'): 'resnet',
    ('mm', 'vit'): 'mm_vit',
    ('torchvision', 'resnet'): 'resnet',
    ('torchvision', 'vit'): 'torchvision_vit',
    ('timm', 'resnet'): 'resnet',
    ('timm', 'vit'): 'timm_vit',
    ('detectron2', 'resnet'): 'detectron2',
    ('safetensors', 'resnet'): 'resnet',
    ('safetensors', 'vit'): 'timm_vit',
}

# Of these the names fit mmpretrain's, but not all that they mean.
_NOT_PLAIN = ('capi', 'hf_vjepa2', 'hf_aimv2', 'aimv2')


def save_checkpoint(
    ckpt: Checkpoint, path: PathLike, format: Format = 'mm', *, card: str | None = None
) -> Path:
    """Write a backbone in the layout of another project.

    Args:
        ckpt: What :func:`read_checkpoint` returned.
        path: File to write (replaced if it exists); for ``'safetensors'`` a folder
            that must be new or empty, which gets ``model.safetensors`` and
            ``config.json`` as timm reads them, and a model card.
        format: ``'mm'`` (``state_dict`` with ``backbone.`` keys, for
            ``init_cfg=dict(type='Pretrained', prefix='backbone.')``),
            ``'torchvision'`` or ``'timm'`` (a bare state dict without
            classifier), ``'detectron2'`` (ResNets only) or ``'safetensors'``.
        card: Text of the model card instead of the standard one.

    Returns:
        The path.

    Raises:
        CheckpointError: If the format has no such backbone, or writing fails
            (then nothing is left behind).
    """
    plan = _plan(ckpt)
    if plan is not None and not _is_plain(ckpt):
        return _save_timm(ckpt, plan, Path(path), format, card)
    kind = 'vit' if ckpt.arch.startswith('vit') else 'resnet'
    if (format, kind) not in _LAYOUTS:
        raise CheckpointError(
            f'cannot write {ckpt.arch} as {format!r}; the formats are '
            f'{[name for name, known in _LAYOUTS if known == kind]}'
        )
    if ckpt.style == 'caffe' and format not in ('mm', 'detectron2'):
        raise CheckpointError(
            f"{format}'s ResNets have the stride in the 3×3 convolution, this "
            "checkpoint is of style 'caffe' (1×1): write mm or detectron2"
        )
    layout = BY_NAME[_LAYOUTS[format, kind]]
    state = layout.encode(ckpt.state_dict)
    lost = sorted(set(ckpt.state_dict) - set(layout.decode(state)[0]))
    if lost:
        raise CheckpointError(f'{format!r} has no names for {shorten(lost)}')
    # Memory-mapped or shared storages must not be written along.
    state = {key: value.detach().clone().contiguous() for key, value in state.items()}
    path = Path(path)
    if format == 'safetensors':
        _write_folder(path, ckpt, state, card, plan)
    else:
        content = _wrap(ckpt, state, format, plan)
        dump = _dump_pickle if format == 'detectron2' else torch.save
        _write_file(path, lambda file: dump(content, file))
    return path


def _plan(ckpt: Checkpoint) -> 'Blueprint | None':
    """How timm builds the network; None of what timm does not have."""
    from msbreg_mm.checkpoints.resolving import blueprint  # timm takes its time

    try:
        return blueprint(ckpt)
    except CheckpointError:
        return None


def _is_plain(ckpt: Checkpoint) -> bool:
    """Whether it is one of mmpretrain's ResNets and ViTs, key by key."""
    if not ckpt.arch.startswith(('resnet', 'vit')):
        return False
    return compare_keys(ckpt.state_dict) == ([], []) and ckpt.layout not in _NOT_PLAIN


def _save_timm(
    ckpt: Checkpoint, plan: 'Blueprint', path: Path, format: str, card: str | None
) -> Path:
    """Write what only timm has, by timm's names."""
    if format not in ('mm', 'timm', 'safetensors'):
        raise CheckpointError(
            f'cannot write {plan.model_name} as {format!r}; the formats are '
            "['mm', 'timm', 'safetensors']"
        )
    state = {k: v.detach().clone().contiguous() for k, v in plan.state.items()}
    if format == 'safetensors':
        _write_folder(path, replace(ckpt, arch=plan.model_name), state, card, plan)
    else:
        prefix = 'backbone.net.' if format == 'mm' else ''
        named = {f'{prefix}{key}': value for key, value in state.items()}
        content = {'meta': _meta(ckpt, plan), 'state_dict': named} if prefix else named
        _write_file(path, lambda file: torch.save(content, file))
    return path


def _meta(ckpt: Checkpoint, plan: 'Blueprint | None') -> dict[str, Any]:
    meta = {**ckpt.meta, 'arch': ckpt.arch, 'converted_from': ckpt.format}
    meta |= {'network': ckpt.source, 'source_sha256': ckpt.sha256}
    meta |= {'style': ckpt.style, 'num_heads': ckpt.num_heads}
    return meta | ({'timm': plan.arguments()} if plan else {})


def convert_checkpoint(
    src: PathLike,
    dst: PathLike,
    format: Format = 'mm',
    *,
    source: Source | None = None,
    trust: bool = False,
    allow_partial: bool = False,
) -> MatchReport:
    """Read a checkpoint, write its backbone in another format, read that again.

    Args:
        src: Any supported checkpoint.
        dst: See :func:`save_checkpoint`.
        format: See :func:`save_checkpoint`.
        source: See :func:`read_checkpoint`.
        trust: See :func:`read_checkpoint`.
        allow_partial: Write a backbone that lacks keys of its architecture, or has
            keys that the architecture does not know.

    Returns:
        What went over.

    Raises:
        CheckpointError: If the source cannot be read, is incomplete, has
            non-finite weights, or cannot be written.
    """
    ckpt = read_checkpoint(src, trust=trust, source=source)
    report = MatchReport.of(ckpt)
    plan = _plan(ckpt)
    if plan is not None and not _is_plain(ckpt):
        return _convert_timm(ckpt, plan, report, dst, format)
    report.missing, report.unexpected = compare_keys(ckpt.state_dict)
    report.matched = [key for key in ckpt.state_dict if key not in report.unexpected]
    if not report.complete and not allow_partial:
        raise CheckpointError(report.explain(ckpt.arch, f'a whole {ckpt.arch}'))
    check_finite(src, ckpt.state_dict)
    report.partial = not report.complete
    save_checkpoint(ckpt, dst, format)
    written = read_checkpoint(dst).state_dict
    for key, value in ckpt.state_dict.items():
        if key not in written or not torch.equal(written[key].to(value), value):
            raise CheckpointError(f'{dst}: {key} did not survive as {format!r}')
    return report


def _convert_timm(
    ckpt: Checkpoint,
    plan: 'Blueprint',
    report: MatchReport,
    dst: PathLike,
    format: Format,
) -> MatchReport:
    report.matched = list(plan.state)
    report.notes += plan.notes
    check_finite(ckpt.path, plan.state)
    save_checkpoint(ckpt, dst, format)
    written = _plan(read_checkpoint(dst))
    for key, value in plan.state.items():
        if written is None or not torch.equal(written.state[key].to(value), value):
            raise CheckpointError(f'{dst}: {key} did not survive as {format!r}')
    return report


def _wrap(
    ckpt: Checkpoint,
    state: dict[str, Tensor],
    format: str,
    plan: 'Blueprint | None' = None,
) -> dict[str, Any]:
    """What surrounds the weights in a file of each project."""
    if format == 'mm':
        meta = _meta(ckpt, plan)
        return {
            'meta': meta,
            'state_dict': {f'backbone.{key}': v for key, v in state.items()},
        }
    if format == 'detectron2':
        return {
            'model': {key: _to_numpy(value) for key, value in state.items()},
            '__author__': 'msbreg_mm',
            # Lets detectron2 find the names below its own prefixes.
            'matching_heuristics': True,
        }
    return dict(state)


def _to_numpy(value: Tensor) -> Any:
    # numpy has no bfloat16
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


def _dump_pickle(content: dict[str, Any], path: Path) -> None:
    with path.open('wb') as file:
        pickle.dump(content, file, protocol=2)


def _write_folder(
    path: Path,
    ckpt: Checkpoint,
    state: dict[str, Tensor],
    card: str | None,
    plan: 'Blueprint | None' = None,
) -> None:
    if path.exists() and (path.is_file() or any(path.iterdir())):
        raise CheckpointError(
            f'{path} exists already; a safetensors folder must be new or empty'
        )
    meta = {'format': 'pt', 'arch': ckpt.arch, 'network': ckpt.source}
    meta |= {'converted_from': ckpt.format, 'source_sha256': ckpt.sha256}

    def fill(folder: Path) -> None:
        folder.mkdir()
        save_file(state, str(folder / 'model.safetensors'), metadata=meta)
        config = json.dumps(timm_config(ckpt, plan), indent=2) + '\n'
        (folder / 'config.json').write_text(config, encoding='utf-8')
        (folder / 'README.md').write_text(card or model_card(ckpt), encoding='utf-8')

    _write_file(path, fill)


def _write_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary neighbour, then put it in place at once."""
    with _temporary(path) as temporary:
        write(temporary)
        os.replace(temporary, path)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix='.writing-', dir=path.parent))
    except OSError as error:
        raise CheckpointError(f'{path} cannot be written: {error}') from None
    try:
        yield folder / path.name
    except (OSError, RuntimeError, SafetensorError) as error:
        # torch.save reports a full disk as RuntimeError.
        raise CheckpointError(
            f'{path} could not be written ({error}); nothing was left behind'
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
