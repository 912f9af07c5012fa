"""Checkpoints that are either whole or absent: an atomic local file backend."""

import contextlib
import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


@register_backend('msbreg_atomic')
class AtomicLocalBackend(LocalBackend):
    """Local files that are replaced in one step.

    mmengine writes a checkpoint in place, so a kill or a full disk while writing
    leaves a truncated file under the final name. Here a neighbouring temporary
    file is written, flushed to the disk and renamed. Configs select it with
    ``CheckpointHook(backend_args=dict(backend='msbreg_atomic'))``.

    ``CheckpointHook`` writes the pointer file ``last_checkpoint`` itself and in
    place, and it removes an old checkpoint before it writes the new one: see
    :func:`find_resumable`, and keep ``max_keep_ckpts`` at 2 or more.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; readers see the old or the new content, nothing between.

        Args:
            obj: Content.
            filepath: File to create or replace; missing folders are made.

        Raises:
            OSError: If writing fails, e.g. on a full disk; the temporary file is
                gone and the previous content is untouched.
        """
        path = Path(filepath)
        # Not a random name: what a killed process leaves behind is overwritten
        # when the run resumes and saves the same checkpoint again. Hidden, so
        # that no `*.pth` pattern finds it.
        temporary = path.with_name(f'.{path.name}.tmp')
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise OSError(
                error.errno,
                f'{error.strerror or error}: cannot write {len(obj):,} bytes (what '
                'was there before is untouched); free some space or choose another '
                'work_dir',
                str(path),
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text like :meth:`put`.

        Args:
            obj: Content.
            filepath: File to create or replace.
            encoding: Encoding of the file.

        Raises:
            OSError: As for :meth:`put`.
        """
        self.put(obj.encode(encoding), filepath)


def find_resumable(work_dir: str | Path) -> Path | None:
    """Find the checkpoint from which a run resumes.

    ``last_checkpoint`` names it, unless a kill has left that pointer empty or
    dangling, or the work directory was moved: then it is the newest
    ``epoch_*.pth`` or ``iter_*.pth``. Each of these files is whole if
    :class:`AtomicLocalBackend` wrote it.

    Args:
        work_dir: Work directory of the run.

    Returns:
        The checkpoint, or ``None`` if there is none to resume from.
    """
    work_dir = Path(work_dir)
    pointer = work_dir / 'last_checkpoint'
    if pointer.is_file() and (text := pointer.read_text(encoding='utf-8').strip()):
        for candidate in (Path(text), work_dir / Path(text).name):
            if candidate.is_file():
                return candidate
    saved = [*work_dir.glob('epoch_*.pth'), *work_dir.glob('iter_*.pth')]
    return max(saved, key=lambda path: path.stat().st_mtime_ns, default=None)
