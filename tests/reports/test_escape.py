"""Names of anyone are letters in every format, and nothing that acts."""

import csv
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from msbreg_mm.reports import formats
from msbreg_mm.reports.build import build_tables
from msbreg_mm.reports.escape import csv_cell, markdown, tex
from msbreg_mm.reports.plots import Palette, line_plot, seed_dots
from msbreg_mm.reports.terminal import print_tables
from msbreg_mm.runs.record import Identity, Record, read_records, write_record
from msbreg_mm.transfer.report import write_report

NAMES = [
    '$x_{', '$\\frac{1}{', 'a$b$c', 'a\nb', '=1+1', '@SUM(A1)', '+1', '-2+3', '\t=1',
    '<script>alert(1)</script>', 'a|b', '\\input{x}', '50 % & #1', '-->', ']]>', '"\'',
    'lr0.0012345', '#010101', '{{ 7 * 7 }}', '[red]x[/]', '~^_', 'Δ 猫', '%\n\\bye',
    '&lt;', 'a=b', '{seed}',
]  # fmt: skip


def record(name, seed, sha):
    return Record(
        name, f'protocol {name}', name, Identity('c' * 64, sha, seed),
        {name: 0.2 + seed / 9}, [(name, name, 100.0)], {name: name}, name, 1.0,
        {'unit': 'epoch', 'total': 1, 'batch_size': 1}, {'matched': 5}, [name],
    )  # fmt: skip


def write(folder, names):
    for index, name in enumerate(names):
        for sha in ('', 'a' * 64):
            for seed in (0, 1):
                job = folder / f't{index}' / (sha[:4] or 'random') / f'seed{seed}'
                write_record(job, record(name, seed, sha))
    return folder


@pytest.fixture(scope='module')
def tables(tmp_path_factory):
    return build_tables(read_records(write(tmp_path_factory.mktemp('suite'), NAMES)))


def test_all_names_are_there(tables):
    assert sorted(table.task for table in tables) == sorted(NAMES)


def test_csv_has_no_formula_and_every_name(tables):
    rows = list(csv.DictReader(io.StringIO(formats.to_csv(tables))))
    assert len(rows) == 4 * len(NAMES)
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell[:1] in '=+-@\t\r' and cell]
    found = {row['checkpoint'] for row in rows}
    assert found == {f"'{n}" if n[0] in '=+-@\t' else n for n in NAMES}
    assert {float(row['value']) for row in rows} == {0.2, 0.2 + 1 / 9}


def test_markdown_keeps_its_rows(tables):
    text = formats.to_markdown(tables)
    assert '<script' not in text
    assert text.count('\n### ') + 1 == len(NAMES) + 1  # one overview
    width = 0
    for line in text.splitlines():
        bars = len(re.findall(r'(?<!\\)(?:\\\\)*\|', line))
        if line.startswith('| '):
            width = width or bars
            assert bars == width, line
        else:
            width = 0


def test_latex_is_balanced_and_asks_for_nothing(tables):
    text = formats.to_latex(tables)
    text = '\n'.join(line for line in text.splitlines() if line[:1] != '%')
    commands = set(re.findall(r'\\([a-zA-Z]+)', text))
    assert not commands & {'input', 'bye', 'frac'}
    bare = re.sub(r'\\[\\{}$&%#_]', '', text)
    assert bare.count('{') == bare.count('}')
    assert bare.count('$') % 2 == 0
    assert not set(bare) & set('%#_~')
    assert text.count(r'\begin{table}') == text.count(r'\end{table}') == len(NAMES)


def test_terminal_shows_markup_as_it_is(tables):
    console = Console(file=io.StringIO(), width=200)
    print_tables(tables, console)
    assert '[red]x[/]' in console.file.getvalue()


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith('on')]

    def handle_data(self, data):
        self.text.append(data)


def test_page_and_figures(tmp_path):
    names = NAMES[:12]
    page = write_report(write(tmp_path, names)).read_text(encoding='utf-8')
    reader = Page()
    reader.feed(page)
    text = '\n'.join(reader.text)
    assert 'alert(1)' in text
    assert '<script>alert' not in page
    assert all(name in text for name in names)


@pytest.mark.parametrize('name', NAMES)
def test_figures_show_names_as_they_are(name):
    palette = Palette([name, 'b'])
    dots = seed_dots({name: [1.0, 2.0], 'b': [3.0]}, name, palette).svg()
    lines = line_plot(
        {name: ([1, 2], [1e-6, 1.0])}, name, 'x', palette, log_y=True
    ).svg()
    for svg in (dots, lines):
        tree = ElementTree.fromstring(svg)
        shown = ''.join(tree.itertext())
        for line in name.split('\n'):
            assert line.strip() in shown
    assert '1e-06' in ''.join(ElementTree.fromstring(lines).itertext())


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=['Cs', 'Cc']), max_size=40))
def test_any_text(text):
    assert '\n' not in markdown(text) + tex(text)
    assert not re.search(r'(?<!\\)(?:\\\\)*\|', markdown(text))
    assert str(csv_cell(text))[:1] not in set('=+-@')
    bare = re.sub(r'\\[\\{}$&%#_]', '', tex(text))
    assert not set(bare) & set('{}%#_&~^')
