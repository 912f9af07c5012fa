"""A config is a program: its own errors are bad input, with the line."""

import pytest

from msbreg_mm.runs.config import LaunchOptions, resolve_config
from msbreg_mm.utils.errors import InputError, OptionError


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('model = dict(\n', r'x\.py.*SyntaxError'),
        ('a = 1\nb = c\n', r"x\.py, line 2: .*NameError: name 'c'"),
        ('a = 1 / 0\n', r'x\.py, line 1: .*ZeroDivisionError'),
        ('_base_ = ["gone.py"]\n', r'x\.py.*gone'),
        ('\x00', r'x\.py.*null bytes'),
        ('import no_such_package_\n', r'x\.py.*no_such_package_'),
        ('raise SystemError("é")', r'x\.py, line 1'),
    ],
)
def test_errors_of_a_config_are_input_errors(text, message, tmp_path):
    (tmp_path / 'x.py').write_text(text, encoding='utf-8')
    with pytest.raises(InputError, match=message):
        resolve_config(LaunchOptions(str(tmp_path / 'x.py')))


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / 'x.py').write_bytes(b'a = "\xff\xfe"\n')
    with pytest.raises(OptionError, match=r'x\.py.*cannot be read'):
        resolve_config(LaunchOptions(str(tmp_path / 'x.py')))
