"""Turn what readers raise for bad files into advice."""

import pickle
import re
from pathlib import Path

from msbreg_mm.checkpoints.errors import CheckpointError

# Bytes that tell the file types of _OTHER_FILES; tar's mark stands at 257.
HEAD_SIZE = 264
_OTHER_FILES = (
    (rb'\s*<(!doctype|html|\?xml)', 'a web page: fetch the file itself'),
    (rb'version https://git-lfs', 'a Git LFS pointer: run `git lfs pull` where it is'),
    (rb'\x1f\x8b|BZh|\xfd7zXZ', 'a compressed file: unpack it'),
    (rb'(?s:.{257})ustar', 'a tar archive: unpack it and give the file inside'),
)


def explain(path: Path, error: Exception) -> CheckpointError:
    """Say what a reader's error means and what to do.

    Args:
        path: Of the file.
        error: What torch, pickle or safetensors raised; files can make them raise
            anything.

    Returns:
        The error to raise in its place.
    """
    if isinstance(error, ImportError):
        return CheckpointError(
            f'{path} needs a package that is not installed: {_reason(error)}; install '
            'it or convert the file where it was made'
        )
    if isinstance(error, pickle.UnpicklingError):
        wanted = re.search(r'GLOBAL ([\w.]+(?:\(.*\))?)', str(error))
        refused = re.search(r'(Trying to call|Can only (build|create)).*', str(error))
        if wanted or refused:
            what = wanted[1] if wanted else refused[0] if refused else ''
            return CheckpointError(
                f'{path} asks for code: {what}. A pickle can run anything, so it was '
                'not read; convert it to safetensors at its source, or pass '
                'trust=True (--trust) if you trust whoever made it'
            )
    return CheckpointError(
        f'{path} is truncated or damaged ({_reason(error)}; '
        f'{path.stat().st_size} bytes); fetch or write it again'
    )


def not_a_checkpoint(path: Path, head: bytes) -> CheckpointError:
    """Say what a file is that no reader takes.

    Args:
        path: Of the file.
        head: Its first :data:`HEAD_SIZE` bytes.

    Returns:
        The error to raise.
    """
    kinds = [kind for mark, kind in _OTHER_FILES if re.match(mark, head, re.IGNORECASE)]
    if kinds:
        return CheckpointError(f'{path} is not a checkpoint but {kinds[0]}')
    return CheckpointError(
        f'{path} is not a checkpoint: it starts with {head[:16]!r}; expected a '
        'PyTorch, safetensors or pickle file'
    )


def not_by_torch(path: Path, names: list[str]) -> CheckpointError | None:
    """Say what a zip archive is that ``torch.save`` did not write.

    Args:
        path: Of the archive.
        names: Of its entries.

    Returns:
        The error to raise, or ``None`` for an archive of ``torch.save``.
    """
    if any(name.endswith('/constants.pkl') for name in names):
        return CheckpointError(
            f'{path} is a TorchScript archive, which is code; save the state_dict() of '
            'torch.jit.load(...) and give that file'
        )
    if not any(name.endswith('/data.pkl') for name in names):
        return CheckpointError(
            f'{path} is a zip archive, but not of torch.save (it has '
            f'{", ".join(names[:3]) or "no entries"}); unpack it and give the '
            'checkpoint inside'
        )
    return None


def _reason(error: Exception) -> str:
    """One line; torch's own first line advises to load without restriction."""
    text = re.sub(
        r'(?s).*WeightsUnpickler error:|Check the documentation of torch\.load.*',
        '',
        str(error),
    ).strip()
    return text.splitlines()[0] if text else type(error).__name__
