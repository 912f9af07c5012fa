"""mmengine's checkpoints, whole or absent: an atomic local file backend."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from msbreg_mm.utils.files import write_bytes


@register_backend('msbreg_atomic')
class AtomicLocalBackend(LocalBackend):
    """Local files that are replaced in one step.

    mmengine writes a checkpoint in place, so a kill or a full disk while writing
    leaves a truncated file under the final name; here
    :func:`~msbreg_mm.utils.files.write_bytes` does it. Configs select it with
    ``CheckpointHook(backend_args=dict(backend='msbreg_atomic'))``.

    ``CheckpointHook`` writes the pointer file ``last_checkpoint`` itself and in
    place, and it removes an old checkpoint before it writes the new one: see
    :func:`~msbreg_mm.runs.folder.find_resumable`, and keep ``max_keep_ckpts`` at 2
    or more.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; readers see the old or the new content, nothing between.

        Args:
            obj: Content.
            filepath: File to create or replace; missing folders are made.

        Raises:
            OSError: If writing fails, e.g. on a full disk.
        """
        write_bytes(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text like :meth:`put`.

        Args:
            obj: Content.
            filepath: File to create or replace.
            encoding: Encoding of the file.

        Raises:
            OSError: As for :meth:`put`.
        """
        write_bytes(filepath, obj.encode(encoding))
