"""Write a suite's report: tables in four formats and one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msbreg_mm.reports import cells, formats
from msbreg_mm.reports.build import build_tables
from msbreg_mm.reports.overview import build_overview
from msbreg_mm.reports.pages import render
from msbreg_mm.reports.plots import Palette
from msbreg_mm.reports.table import ResultTable
from msbreg_mm.reports.uncertainty import add_image_differences
from msbreg_mm.runs.record import read_damaged, read_failures, read_records
from msbreg_mm.transfer.pretraining import describe_pretraining
from msbreg_mm.transfer.sections import describe_table
from msbreg_mm.transfer.uncertainty import read_replicates
from msbreg_mm.utils.errors import MissingInputError, NoResultsError, OutputError
from msbreg_mm.utils.files import write_text

PAGE = 'report.html'


def write_report(work_dir: str | Path, pretrain_dir: Sequence[str] = ()) -> Path:
    """Write ``report.html`` and ``table.md``, ``.tex``, ``.csv`` and ``.json``.

    Args:
        work_dir: Folder of the suite.
        pretrain_dir: Work directories of pretraining runs, as ``name=folder``
            where ``name`` is the checkpoint's name in the tables, or ``folder``.

    Returns:
        The HTML page.

    Raises:
        MissingInputError: If a folder is not there.
        NoResultsError: If no job has finished yet.
        OutputError: If a file cannot be written.
    """
    work_dir = Path(work_dir)
    tables = build_tables(read_records(work_dir))
    damaged = read_damaged(work_dir)
    if not tables:
        raise NoResultsError(
            f'no finished job in {work_dir}; run msbreg transfer first'
            + ''.join(f'\n{folder}: {reason}' for folder, reason in damaged.items())
        )
    for table in tables:
        add_image_differences(table, read_replicates)
    texts = {
        'table.md': _markdown(tables, damaged),
        'table.tex': formats.to_latex(tables),
        'table.csv': formats.to_csv(tables),
        'table.json': formats.to_json(tables),
        PAGE: render_page(work_dir, tables, pretrain_folders(pretrain_dir)),
    }
    failed: list[OutputError] = []
    for name, text in texts.items():
        try:
            write_text(work_dir / name, text)
        except OutputError as error:
            failed.append(error)
    if failed:
        raise failed[0]  # the others are written as far as they can be
    return work_dir / PAGE


def _markdown(tables: Sequence[ResultTable], damaged: Mapping[str, str]) -> str:
    text = formats.to_markdown(tables)
    if damaged:
        rows = [formats.pipe(item) for item in damaged.items()]
        head = [formats.pipe(('damaged record', 'reason')), formats.pipe(['---'] * 2)]
        text += '\n' + '\n'.join([*head, *rows]) + '\n'
    return text


def render_page(
    work_dir: Path, tables: Sequence[ResultTable], pretraining: dict[str, Path]
) -> str:
    """Render the HTML page; it loads nothing from anywhere.

    Args:
        work_dir: Folder of the suite.
        tables: The numbers.
        pretraining: Checkpoint → work directory of its pretraining.
    """
    rows = [row for table in tables for row in table.rows]
    baselines = list(dict.fromkeys(row.name for row in rows if row.is_random))
    names = list(dict.fromkeys(row.name for row in rows))
    palette = Palette(names, baselines)
    return render(
        'msbreg_mm.transfer',
        'report.html.j2',
        names=names,
        palette=palette,
        sections=[describe_table(table, palette) for table in tables],
        pretraining=describe_pretraining(pretraining, palette),
        failures=read_failures(work_dir),
        damaged=read_damaged(work_dir),
        cells=cells,
        overview=cells.overview_cells(build_overview(tables)),
        hours=sum(table.hours for table in tables),
        runs=sum(len(row.records) for row in rows),
    )


def pretrain_folders(arguments: Sequence[str]) -> dict[str, Path]:
    """Read ``name=work_dir`` or ``work_dir`` arguments.

    Args:
        arguments: As given on the command line.

    Raises:
        MissingInputError: If a folder is not there.
    """
    found = {}
    for argument in arguments:
        name, separator, path = argument.partition('=')
        if not separator:
            name, path = Path(argument).resolve().name, argument
        if not Path(path).is_dir():
            raise MissingInputError(f'no pretraining folder {path}')
        found[name] = Path(path)
    return found
