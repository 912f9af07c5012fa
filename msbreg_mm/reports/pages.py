"""Self-contained HTML pages from the templates of a package."""

import datetime
from typing import Any

import jinja2

_SHARED = 'msbreg_mm.reports'


def render(package: str, template: str, **content: Any) -> str:
    """Render a page; what it shows is escaped, and it loads nothing from anywhere.

    Args:
        package: Package with the ``templates`` folder, e.g. ``'msbreg_mm.transfer'``;
            the shared style is found as ``report.css``.
        template: File of that folder.
        content: Variables of the template; ``date`` (UTC) is added.

    Returns:
        HTML.

    Raises:
        jinja2.UndefinedError: If the template names something else.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(name) for name in (package, _SHARED)]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    date = datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d')
    return environment.get_template(template).render(date=date, **content)
