import importlib.util
import logging
import subprocess
import sys

import pytest

from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.upstream import (
    UpstreamNoise,
    format_configs_once,
    import_quietly,
    import_scope,
)


def test_pretraining_does_not_import_mmdet():
    code = 'import sys, msbreg_mm.models; sys.exit("mmdet" in sys.modules)'
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == ''
    assert run.stderr == ''


def test_package_stays_importable_after_it_was_left_out(monkeypatch, tmp_path):
    (tmp_path / 'noisy_mod.py').write_text(
        'print("noise")\ntry:\n    import extra_pkg\n    found = True\n'
        'except ImportError:\n    found = False\n'
    )
    (tmp_path / 'extra_pkg.py').write_text('')
    monkeypatch.syspath_prepend(str(tmp_path))
    assert import_quietly('noisy_mod', without='extra_pkg').found is False
    import extra_pkg  # noqa: F401

    sys.modules.pop('noisy_mod')
    assert import_quietly('noisy_mod', without='extra_pkg').found is True
    sys.modules.pop('noisy_mod')
    sys.modules.pop('extra_pkg')


def test_failing_import_shows_what_it_printed(monkeypatch, tmp_path, capsys):
    (tmp_path / 'broken_mod.py').write_text('print("why")\nraise RuntimeError("bad")\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RuntimeError, match='bad'):
        import_quietly('broken_mod')
    assert capsys.readouterr().out == 'why\n'


def test_segmentation_is_lean_and_quiet():
    code = (
        'import sys, msbreg_mm.engine\n'
        'from msbreg_mm.utils.upstream import import_scope\n'
        'import_scope("mmseg")\n'
        'from mmseg.registry import MODELS\n'
        'assert MODELS.get("EncoderDecoder")\n'
        'sys.exit("mmdet" in sys.modules)'
    )
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, '', '')


def test_segmentation_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(OptionError, match=r"pip install 'msbreg_mm\[seg\]'"):
        import_scope('mmseg')


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('The prefix is not set in metric class IoUMetric.', False),
        ('The prefix is not set in metric class Mine.', True),
        ('Iter(val) [2/2]    mIoU: 24.9300', True),
    ],
)
def test_noise_of_the_segmentation_metric(text, kept):
    record = logging.LogRecord('mmengine', logging.WARNING, '', 0, text, None, None)
    assert UpstreamNoise().filter(record) is kept


def test_a_config_is_formatted_once(monkeypatch):
    from mmengine.config import Config
    from yapf.yapflib import yapf_api

    asked = []

    def formatter(text, **_):
        asked.append(text)
        return f'# {len(asked)}', True

    monkeypatch.setattr(yapf_api, 'FormatCode', formatter)
    format_configs_once()
    format_configs_once()  # each launch calls it
    first = Config({'a': 1})
    assert [first.pretty_text, first.pretty_text] == ['# 1', '# 1']
    assert Config({'a': 2}).pretty_text == '# 2'
    assert len(asked) == 2
