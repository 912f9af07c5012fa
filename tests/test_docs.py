"""What the documentation names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md')])
# `tools/train.py`, `msbreg_mm/suite/plan.py`, `configs/demo/`; no patterns.
PATHS = re.compile(r'(?<![\w/.])((?:msbreg_mm|configs|tools|tests|docs)/[\w./+-]*\w/?)')
MODULES = re.compile(r'(?<![\w.])(msbreg_mm(?:\.[a-z_]+)+)')
# Files of other projects, and places that an example stands for.
ELSEWHERE = ('configs/benchmarks/mmsegmentation', 'tools/dataset_converters/')


def text_of(page: Path) -> str:
    return page.read_text(encoding='utf-8')


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_paths_are_there(page):
    named = {match.rstrip('/') for match in PATHS.findall(text_of(page))}
    wrong = [
        path
        for path in sorted(named)
        if not (ROOT / path).exists()
        and not list((ROOT / path).parent.glob(f'{Path(path).name}*'))
        and not path.startswith(ELSEWHERE)
        and 'CONFIG' not in path
    ]
    assert not wrong


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_are_there(page):
    links = re.findall(r'\]\(([^)#\s]+)(?:#[^)\s]*)?\)', text_of(page))
    local = [link for link in links if '://' not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_are_there(page):
    wrong = []
    for name in sorted(set(MODULES.findall(text_of(page)))):
        parts = name.split('.')
        # The last part may be a name inside the module.
        found = any(
            (place := ROOT.joinpath(*parts[:end])).is_dir()
            or place.with_suffix('.py').is_file()
            for end in (len(parts), len(parts) - 1)
            if end > 1 or len(parts) == 2
        )
        if not found:
            wrong.append(name)
    assert not wrong


def test_every_page_is_in_the_site():
    nav = (ROOT / 'mkdocs.yml').read_text(encoding='utf-8')
    pages = [str(p.relative_to(ROOT / 'docs')) for p in (ROOT / 'docs').rglob('*.md')]
    assert [page for page in pages if f' {page}' not in nav] == []
