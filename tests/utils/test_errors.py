import pytest

from msbreg_mm.checkpoints import CheckpointError
from msbreg_mm.utils.errors import (
    InputError,
    MissingInputError,
    OptionError,
    short_input_errors,
)


@pytest.mark.parametrize(
    ('kind', 'base'),
    [
        (MissingInputError, FileNotFoundError),
        (OptionError, ValueError),
        (CheckpointError, ValueError),
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
