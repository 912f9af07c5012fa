"""A record of anyone is whole, or damaged with a reason; nothing else."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import json_values, mutate

from msbreg_mm.runs.folder import FAILURE, RESULT
from msbreg_mm.runs.record import (
    Identity,
    Record,
    load_record,
    read_damaged,
    read_failures,
    read_record,
    read_records,
    write_record,
)
from msbreg_mm.utils.errors import DamagedFileError, MissingInputError


def record(name='x', seed=0, value=0.3):
    return Record(
        't', 'p', name, Identity('c' * 64, 'a' * 64, seed), {'m': value},
        [('m', 'AP', 100.0)], {'python': '3'}, 'cpu', 1.0,
        {'unit': 'epoch', 'total': 1, 'batch_size': 1}, {'matched': 5},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    write_record(tmp_path / 't/x/seed0', record())
    return tmp_path / 't/x/seed0'


def change(folder, **changes):
    content = json.loads((folder / RESULT).read_text())
    (folder / RESULT).write_text(json.dumps(content | changes))


def test_what_is_written_is_read(folder):
    assert load_record(folder) == record()


IDENTITY = {'config_hash': 'c', 'checkpoint_sha256': '', 'seed': 0}


@pytest.mark.parametrize(
    ('entry', 'value', 'message'),
    [
        ('task', ['a'], 'task is a list, expected a text'),
        ('checkpoint', '\x1b[2J', 'checkpoint is a text that cannot be shown'),
        ('checkpoint', '\ud800', 'checkpoint is a text that cannot be shown'),
        ('metrics', None, 'metrics is null, expected a mapping'),
        ('metrics', {'m': 'x'}, r'metrics\.m is a text, expected a finite number'),
        ('metrics', {'m': True}, r'metrics\.m is true or false'),
        ('metrics', {'m': float('nan')}, r'metrics\.m is nan'),
        ('metrics', {'m': float('inf')}, r'metrics\.m is inf'),
        ('metrics', {'m': 10**400}, r'metrics\.m is 1000'),
        ('metrics', {'m': 1e14}, r'metrics\.m times its scale'),
        ('columns', [['m', 'AP']], r'columns\[0\] has 2 entries, expected 3'),
        ('columns', [['m', 'AP', 'x']], r'columns\[0\]\[2\] is a text'),
        ('columns', [['m', 'AP', 1]] * 101, 'columns are 101'),
        ('identity', {'seed': 0}, r'identity\.config_hash is missing'),
        ('identity', IDENTITY | {'seed': 0.5}, r'identity\.seed is 0\.5'),
        ('identity', IDENTITY | {'x': 0}, r'identity\.x is not known'),
        ('schedule', {'unit': 'day'}, r'schedule\.unit is neither'),
        ('schedule', {'unit': 'iter', 'total': 'x'}, r'schedule\.total is a text'),
        ('wall_time_s', -1, 'wall_time_s is -1'),
        ('notes', 'a', 'notes is a text, expected a list'),
        ('version', 2, 'version is 2, expected 1'),
        ('surprise', 1, 'surprise is not known'),
    ],
)
def test_each_entry_has_its_type(entry, value, message, folder, tmp_path):
    change(folder, **{entry: value})
    with pytest.raises(DamagedFileError, match=rf'result\.json: {message}'):
        load_record(folder)
    assert read_record(folder) is None
    assert read_records(tmp_path) == []
    assert list(read_damaged(tmp_path)) == ['t/x/seed0']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'not readable as JSON'),
        (b'[]', 'no mapping'),
        (b'{"task": "t"', 'not readable'),
        (b'[' * 200_000, 'nested too deeply'),
        (b'{"a":' * 200_000, 'nested too deeply'),
        (b'\xff\xfe{}', 'not readable'),
        (b'1' * 5000, 'not readable'),
    ],
)
def test_files_that_are_no_record(content, message, folder):
    (folder / RESULT).write_bytes(content)
    with pytest.raises(DamagedFileError, match=message):
        load_record(folder)


def test_deep_entries(folder):
    deep = []
    for _ in range(200):
        deep = [deep]
    change(folder, match_report={'a': deep})
    with pytest.raises(DamagedFileError, match='nested too deeply'):
        load_record(folder)


@pytest.mark.timeout(20)
def test_what_is_no_file_is_not_waited_for(folder, tmp_path):
    for make in (
        os.mkfifo,
        os.mkdir,
        lambda path: os.symlink('/dev/zero', path),
        lambda path: os.symlink(path, path),
    ):
        path = folder / RESULT
        path.rmdir() if path.is_dir() else path.unlink()
        make(path)
        with pytest.raises(DamagedFileError, match='not a regular file'):
            load_record(folder)
        assert 'seed0' in next(iter(read_damaged(tmp_path)))


def test_huge_files_are_not_read(folder):
    with (folder / RESULT).open('ab') as stream:
        stream.truncate(1 << 40)  # a terabyte of holes
    with pytest.raises(DamagedFileError, match='bytes, more than'):
        load_record(folder)


def test_metrics_that_no_table_shows_may_be_nan(folder):
    """mmseg's IoU of a class that no image has."""
    found = record(value=0.5)
    found.metrics['IoU.cat'] = float('nan')
    write_record(folder, found)
    assert load_record(folder).metrics == {'m': 0.5}


def test_a_changed_number_is_noticed(folder):
    text = (folder / RESULT).read_text()
    (folder / RESULT).write_text(text.replace('0.3', '0.8'))
    with pytest.raises(DamagedFileError, match='does not agree with its checksum'):
        load_record(folder)
    (folder / RESULT).write_text(json.dumps(json.loads(text), sort_keys=True))
    assert load_record(folder) == record()


def test_records_of_earlier_versions_have_no_checksum(folder):
    content = json.loads((folder / RESULT).read_text())
    del content['crc32']
    (folder / RESULT).write_text(json.dumps(content))
    assert load_record(folder) == record()


def test_failures_of_anyone(folder, tmp_path):
    (folder / FAILURE).write_text(json.dumps({'reason': 'a\x1b[31m\ud800\nb'}))
    assert read_failures(tmp_path) == {'t/x/seed0': 'a\ufffd[31m\ufffd\nb'}
    for content in ('{"reason": [[1]]}', '{"reason": null}', '{"x": 1}'):
        (folder / FAILURE).write_text(content)
        assert read_failures(tmp_path) == {'t/x/seed0': 'the reason is not readable'}
    (folder / FAILURE).write_text('[' * 100_000)
    assert read_failures(tmp_path) == {}


def test_no_folder(tmp_path):
    with pytest.raises(MissingInputError, match='no folder'):
        read_records(tmp_path / 'gone')


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_change_is_read_or_refused(data, folder):
    """What is read can be shown: finite numbers and texts of the right place."""
    write_record(folder, record())
    content = json.loads((folder / RESULT).read_text())
    del content['crc32']  # else every change is refused
    content = data.draw(mutate(content))
    (folder / RESULT).write_text(json.dumps(content))
    try:
        found = load_record(folder)
    except DamagedFileError as error:
        message = str(error)
    else:
        message = ''
    assert len(message) < 1000
    if message:
        return
    assert {type(value) for value in found.metrics.values()} <= {float}
    assert all(isinstance(note, str) for note in found.notes)
    (found.task + found.checkpoint + found.device).encode()
    write_record(folder, found)
    assert load_record(folder) == found


@settings(max_examples=100, deadline=None)
@given(value=json_values)
def test_any_json_is_read_or_refused(value, tmp_path_factory):
    folder = tmp_path_factory.mktemp('x')
    (folder / RESULT).write_text(json.dumps(value))
    with pytest.raises(DamagedFileError):
        load_record(folder)
