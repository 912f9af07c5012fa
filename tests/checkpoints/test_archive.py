"""Zip checkpoints are compared with their own checksums."""

import random
import zipfile

import pytest
import torch
from torch.serialization import set_crc32_options

from msbreg_mm.checkpoints import CheckpointError, read_checkpoint, verify_resumable


@pytest.fixture
def file(tmp_path, resnet_state):
    torch.save({'state_dict': resnet_state(18)}, tmp_path / 'x.pth')
    return tmp_path / 'x.pth'


READ = pytest.mark.parametrize('read', [read_checkpoint, verify_resumable])


def rewrite(file, change):
    """Write an archive again, entry by entry."""
    with zipfile.ZipFile(file) as old:
        entries = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(file, 'w') as new:
        change(new, entries)


@READ
def test_every_flipped_bit_of_an_entry_is_noticed(read, file):
    data = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        spans = [(i.header_offset, i.file_size) for i in archive.infolist()]
    rng = random.Random(0)
    for start, size in rng.sample(spans, 20):
        # The name and padding to 64 bytes stand between header and content.
        name = int.from_bytes(data[start + 26 : start + 28], 'little')
        extra = int.from_bytes(data[start + 28 : start + 30], 'little')
        place = start + 30 + name + extra + rng.randrange(size)
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        file.write_bytes(flipped)
        with pytest.raises(CheckpointError, match=r'x\.pth is damaged: .*CRC-32'):
            read(file)
    file.write_bytes(data)
    read(file)


@READ
def test_bits_of_the_table_change_nothing_or_are_noticed(read, file):
    """What the table of contents says of names, sizes and places."""
    data = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        table = archive.start_dir
    read(file)
    expected = read_checkpoint(file).state_dict
    rng = random.Random(1)
    for _ in range(60):
        flipped = bytearray(data)
        flipped[rng.randrange(table, len(data))] ^= 1 << rng.randrange(8)
        file.write_bytes(flipped)
        try:
            read(file)
            found = read_checkpoint(file).state_dict
        except CheckpointError:
            continue
        assert all(torch.equal(expected[key], found[key]) for key in expected)


@READ
def test_compressed_entries(read, file):
    def compress(new, entries):
        for name, content in entries:
            new.writestr(name, content, zipfile.ZIP_DEFLATED)

    rewrite(file, compress)
    with pytest.raises(CheckpointError, match='compressed inside'):
        read(file)


@READ
@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_an_entry_of_two_meanings(read, file):
    def double(new, entries):
        for name, content in entries:
            new.writestr(name, content)
        new.writestr(entries[-1][0], b'x' * len(entries[-1][1]))

    rewrite(file, double)
    with pytest.raises(CheckpointError, match='twice'):
        read(file)


def test_files_without_checksums_are_told_of(file, resnet_state):
    set_crc32_options(False)
    try:
        torch.save({'state_dict': resnet_state(18)}, file)
    finally:
        set_crc32_options(True)
    verify_resumable(file)
    assert 'no checksums' in read_checkpoint(file).notes[0]


def test_one_read(file, monkeypatch):
    """What was kept is given once, and only for the same file."""
    from msbreg_mm.checkpoints import reading

    count = []
    real = reading.sha256
    monkeypatch.setattr(reading, 'sha256', lambda path: count.append(1) or real(path))
    first = read_checkpoint(file, keep=True)
    assert read_checkpoint(file) is first
    assert len(count) == 1
    assert read_checkpoint(file) is not first
    read_checkpoint(file, keep=True)
    torch.save({'state_dict': {}}, file)
    with pytest.raises(CheckpointError, match='no ResNet'):
        read_checkpoint(file)
