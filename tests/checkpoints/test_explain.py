"""What a file is that holds no checkpoint, and what to do about it."""

import gzip
import tarfile
import warnings
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from msbreg_mm.checkpoints import CheckpointError, read_checkpoint, verify_resumable


def write_tar(path):
    path.with_suffix('.inner').write_bytes(b'x' * 10)
    with tarfile.open(path, 'w') as archive:
        archive.add(path.with_suffix('.inner'), 'model.pth')


def write_zip(path):
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('model.pth', 'x')


def write_script(path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FutureWarning)
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))


OTHERS = {
    'web page': (
        lambda path: path.write_text('\n<!DOCTYPE html>\n<title>404</title>'),
        'not a checkpoint but a web page: fetch the file itself',
    ),
    'LFS pointer': (
        lambda path: path.write_text('version https://git-lfs.github.com/spec/v1\n'),
        'not a checkpoint but a Git LFS pointer: run `git lfs pull`',
    ),
    'gzip': (
        lambda path: path.write_bytes(gzip.compress(b'x')),
        'a compressed file: unpack it',
    ),
    'tar': (write_tar, 'a tar archive: unpack it and give the file inside'),
    'zip': (write_zip, r'not of torch\.save \(it has model\.pth\); unpack it'),
    'TorchScript': (write_script, r'a TorchScript archive.*save the state_dict\(\)'),
    'noise': (
        lambda path: path.write_bytes(b'\x01noise, noise, noise'),
        r"it starts with b'\\x01noise, noise, n'; expected a PyTorch, safetensors",
    ),
    'empty': (lambda path: path.write_bytes(b''), r'x\.pth is empty \(truncated'),
}


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('read', [read_checkpoint, verify_resumable])
@pytest.mark.parametrize('name', OTHERS)
def test_other_files_are_recognised(name, read, tmp_path):
    write, message = OTHERS[name]
    write(tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match=message) as error:
        read(tmp_path / 'x.pth')
    assert str(error.value).startswith(str(tmp_path / 'x.pth'))


def test_damage_is_no_reason_to_load_without_restriction(resnet_state, tmp_path):
    """torch's own message recommends weights_only=False."""
    path = tmp_path / 'x.pth'
    torch.save(resnet_state(18), tmp_path / 'whole')
    with (
        zipfile.ZipFile(tmp_path / 'whole') as whole,
        zipfile.ZipFile(path, 'w') as damaged,
    ):
        for name in whole.namelist():
            data = bytearray(whole.read(name))
            if name.endswith('data.pkl'):
                data[100:140] = bytes(range(215, 255))
            damaged.writestr(name, bytes(data))  # with the right checksum
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path)
    assert 'is truncated or damaged (' in str(error.value)
    assert 'weights_only' not in str(error.value)
    assert str(error.value).endswith('fetch or write it again')


@pytest.mark.parametrize('content', ['{"a"', '[1]'])
def test_folder_with_a_broken_config(content, resnet_state, tmp_path):
    save_file(resnet_state(18), tmp_path / 'model.safetensors')
    (tmp_path / 'config.json').write_text(content)
    with pytest.raises(CheckpointError, match=r'config\.json.*fetch the folder again'):
        read_checkpoint(tmp_path)


def test_address_instead_of_a_file():
    for read in (read_checkpoint, verify_resumable):
        with pytest.raises(CheckpointError, match='is an address; fetch the file'):
            read('https://example.org/x.pth')
