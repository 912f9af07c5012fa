import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.fileio import get_file_backend
from toy_runner import toy_runner

from msbreg_mm.engine.atomic_backend import AtomicLocalBackend
from msbreg_mm.runs.folder import find_resumable

BACKEND_ARGS = {'backend': 'msbreg_atomic'}


def test_selected_by_name(tmp_path: Path) -> None:
    backend = get_file_backend(tmp_path, backend_args=BACKEND_ARGS)
    assert type(backend) is AtomicLocalBackend


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'folder' / 'file.bin'
    backend = AtomicLocalBackend()
    backend.put(b'old', path)
    backend.put(b'new', str(path))
    assert backend.get(path) == b'new'
    backend.put_text('Ärger\n', path.with_name('text'), encoding='latin-1')
    assert path.with_name('text').read_bytes() == b'\xc4rger\n'
    assert sorted(p.name for p in path.parent.iterdir()) == ['file.bin', 'text']


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        AtomicLocalBackend().put(b'x', tmp_path / 'file')
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / 'file').stat().st_mode) == 0o640


# The process may write at most 1 MB to a file, like a disk that runs full.
FULL_DISK = """
import resource, sys
from msbreg_mm.engine.atomic_backend import AtomicLocalBackend
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    AtomicLocalBackend().put(bytes(3_000_000), sys.argv[1])
except OSError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_previous_file(tmp_path: Path) -> None:
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(b'previous')
    done = _python(FULL_DISK, path)
    assert done.returncode == 0, done.stderr
    assert 'cannot write 3,000,000 bytes (what was there before' in done.stdout
    assert str(path) in done.stdout
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b'previous'


# Killed when all bytes are written and before the file has its name.
KILLED = """
import os, signal, sys
from msbreg_mm.engine import atomic_backend
from msbreg_mm.utils import files
files.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
atomic_backend.AtomicLocalBackend().put(bytes(3_000_000), sys.argv[1])
"""


def test_a_kill_leaves_the_previous_file(tmp_path: Path) -> None:
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(b'previous')
    assert _python(KILLED, path).returncode == -signal.SIGKILL
    assert path.read_bytes() == b'previous'
    assert [p.name for p in tmp_path.glob('*.pth')] == ['epoch_1.pth']
    # The resumed run saves the same checkpoint and so clears the remainder.
    AtomicLocalBackend().put(b'next', path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b'next'


def _python(code: str, path: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, '-c', code, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').write_bytes(b'')
    with pytest.raises(OSError, match=r'cannot write 1 bytes.*model\.pth') as caught:
        AtomicLocalBackend().put(b'x', tmp_path / 'file' / 'model.pth')
    assert caught.value.errno in (errno.ENOTDIR, errno.EEXIST)


def test_interrupted_writing_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', interrupt)
    with pytest.raises(KeyboardInterrupt):
        AtomicLocalBackend().put(b'x', tmp_path / 'file')
    assert not list(tmp_path.iterdir())


def test_checkpoint_hook_writes_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    put = AtomicLocalBackend.put

    def spy(self: AtomicLocalBackend, obj: bytes, filepath: str) -> None:
        written.append(Path(filepath).name)
        put(self, obj, filepath)

    monkeypatch.setattr(AtomicLocalBackend, 'put', spy)
    settings = {'backend_args': BACKEND_ARGS, 'max_keep_ckpts': 2}
    toy_runner(tmp_path, epochs=3, checkpoint=settings).train()
    assert written == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']
    # The hook removes old ones through the same backend.
    assert {p.name for p in tmp_path.glob('*.pth')} == {'epoch_2.pth', 'epoch_3.pth'}
    checkpoint = torch.load(find_resumable(tmp_path), weights_only=False)
    assert checkpoint['meta']['epoch'] == 3


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    names = ('epoch_9', 'epoch_10', 'best_acc_epoch_9', 'collapsed_iter_99')
    for time, name in enumerate(names):
        path = tmp_path / f'{name}.pth'
        path.write_bytes(b'')
        os.utime(path, (time, time))
    return tmp_path


@pytest.mark.parametrize('content', [None, '', '\n', 'gone/epoch_11.pth', '.'])
def test_without_a_pointer_the_newest_counts(
    work_dir: Path, content: str | None
) -> None:
    if content is not None:
        (work_dir / 'last_checkpoint').write_text(content)
    assert find_resumable(work_dir) == work_dir / 'epoch_10.pth'


def test_the_pointer_counts_even_where_the_folder_was_moved(work_dir: Path) -> None:
    for content in (f'{work_dir}/epoch_9.pth', '/elsewhere/epoch_9.pth\n'):
        (work_dir / 'last_checkpoint').write_text(content)
        assert find_resumable(str(work_dir)) == work_dir / 'epoch_9.pth'


def test_nothing_to_resume(tmp_path: Path) -> None:
    assert find_resumable(tmp_path) is None
    assert find_resumable(tmp_path / 'absent') is None
