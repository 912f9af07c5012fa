import subprocess
import sys

import pytest

from msbreg_mm.utils.upstream import import_quietly


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
