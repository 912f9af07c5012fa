"""Write the report of an ablation: table in four formats and one HTML page."""

from pathlib import Path

from msbreg_mm.ablation.page import Page, describe
from msbreg_mm.ablation.results import Results
from msbreg_mm.reports import cells, formats
from msbreg_mm.reports.figure_files import save_sheet
from msbreg_mm.reports.pages import render
from msbreg_mm.reports.plots import series_colour
from msbreg_mm.reports.uncertainty import add_image_differences
from msbreg_mm.utils.errors import NoResultsError
from msbreg_mm.utils.files import write_text

PAGE = 'ablation.html'


def write_report(results: Results, work_dir: str | Path) -> Path:
    """Write ``ablation.html``, ``.md``, ``.tex``, ``.csv``, ``.json`` and figures.

    Args:
        results: The numbers.
        work_dir: Folder of the ablation.

    Returns:
        The HTML page; it loads nothing from anywhere.

    Raises:
        NoResultsError: If no run has finished yet.
    """
    if not results.records:
        raise NoResultsError(
            f'no finished run in {work_dir}'
            + ''.join(f'; {reason}' for reason in _reasons(results)[:1])
        )
    add_image_differences(results)
    page = Path(work_dir) / PAGE
    described = describe(results)
    for suffix, text in (
        ('.md', formats.to_markdown([results])),
        ('.tex', formats.to_latex([results])),
        ('.csv', formats.to_csv([results])),
        ('.json', formats.dump_json(formats.describe(results))),
        ('.html', render_page(results, described)),
    ):
        write_text(page.with_suffix(suffix), text)
    for name, (panels, legend) in described.sheets().items():
        colours = {name: series_colour(index) for name, index in legend.items()}
        save_sheet(panels, colours, page.with_name(f'{page.stem}-{name}.svg'))
    return page


def render_page(results: Results, page: Page) -> str:
    """Render the HTML page.

    Args:
        results: The numbers.
        page: Their figures and sentences.
    """
    return render(
        'msbreg_mm.ablation', 'ablation.html.j2', results=results, page=page,
        cells=cells,
    )  # fmt: skip


def _reasons(results: Results) -> list[str]:
    return [
        run.failure.partition('\n')[0] for row in results.rows for run in row.failures
    ]
