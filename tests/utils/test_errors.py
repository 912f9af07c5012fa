import errno

import pytest
from torch.utils.data import DataLoader, Dataset

from msbreg_mm.checkpoints import CheckpointError
from msbreg_mm.utils.errors import (
    DataError,
    ExistingInputError,
    InputError,
    MissingInputError,
    MissingPackageError,
    OptionError,
    OutputError,
    short_input_errors,
)
from msbreg_mm.utils.locks import LockedError


@pytest.mark.parametrize(
    ('kind', 'base'),
    [
        (MissingInputError, FileNotFoundError),
        (OptionError, ValueError),
        (CheckpointError, ValueError),
        (DataError, ValueError),
        (ExistingInputError, FileExistsError),
        (MissingPackageError, ImportError),
        (OutputError, OSError),
        (LockedError, RuntimeError),
    ],
)
def test_bad_input_is_one_message_and_code_2(kind, base, capsys):
    with pytest.raises(SystemExit) as done, short_input_errors():
        raise kind('x.pth: no such file')
    assert done.value.code == 2
    assert capsys.readouterr() == ('', 'error: x.pth: no such file\n')
    assert issubclass(kind, InputError)
    assert issubclass(kind, base)


def test_a_bug_keeps_its_traceback(capsys):
    for bug in (ValueError('a'), FileNotFoundError('b'), KeyError('c')):
        with pytest.raises(type(bug)), short_input_errors():
            raise bug
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('kind', [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_what_the_machine_refuses_is_no_bug(kind, capsys):
    with pytest.raises(SystemExit), short_input_errors():
        raise OSError(kind, 'no', 'a.json')
    assert "no: 'a.json'" in capsys.readouterr().err
    with pytest.raises(IsADirectoryError), short_input_errors():
        raise OSError(errno.EISDIR, 'no', 'a.json')


class Broken(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise DataError(f'x.txt:{index} is not "path label"')


def test_an_error_of_a_data_worker_is_as_short():
    with pytest.raises(DataError) as raised:
        list(DataLoader(Broken(), num_workers=1))
    assert str(raised.value) == 'x.txt:0 is not "path label"'
