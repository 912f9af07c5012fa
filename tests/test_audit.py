"""The audit of requirements finds what it is there for."""

import runpy
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
AUDIT = runpy.run_path(str(ROOT / '.ci/audit'))


def test_lower_bounds_without_holes():
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    assert AUDIT['unsafe_bounds'](project) == []


def test_a_hole_is_named():
    project = {
        'dependencies': ['torch>=2.5', 'jinja2', 'scipy>=1.11'],
        'optional-dependencies': {'x': ['Pillow[heif]~=10.2,>=9', 'opencv-python>=5']},
    }
    found = AUDIT['unsafe_bounds'](project)
    names = [line.split()[2][:6] for line in found]
    assert [name.rstrip(';') for name in names] == ['torch>', 'jinja2', 'Pillow']
    assert 'CVE-2025-32434' in found[0]


def test_an_old_package_is_named(monkeypatch):
    known = AUDIT['unsafe_installed'].__globals__['FIXED']
    assert AUDIT['unsafe_installed']() == []
    monkeypatch.setitem(known, 'numpy', ('999', 'a hole'))
    (found,) = AUDIT['unsafe_installed']()
    assert found.startswith('numpy ')
    assert 'a hole until 999' in found
