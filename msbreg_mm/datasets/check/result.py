"""What a check found: counts, findings with first examples, and their table."""

from dataclasses import dataclass, field

from rich.markup import escape
from rich.table import Table

ERRORS = {
    'no-images': 'no image found',
    'missing-image': 'listed, but there is no such file',
    'unreadable-image': 'damaged, truncated or no image',
    'size-mismatch': 'size in the annotations differs from the file',
    'unreadable-annotation': 'annotation file damaged or incomplete',
    'missing-annotation': 'listed, but there is no such annotation file',
    'malformed-record': 'required key missing or of a wrong type',
    'duplicate-image-id': 'image id occurs more than once',
    'duplicate-annotation-id': 'annotation id occurs more than once',
    'unknown-image': 'annotation for an image that is not listed',
    'unknown-category': 'category that is not listed',
    'category-mismatch': 'categories differ between the splits',
    'duplicate-category': 'category id or name that occurs more than once',
    'box-outside': 'box outside the image: the reader leaves it out',
    'zero-area-box': 'box without area',
    'empty-mask': 'mask without pixels',
    'malformed-mask': 'mask that cannot be decoded or has another size',
    'ignored-mask': 'mask without an outline: mmdet ignores the object',
    'missing-mask': 'object without a mask beside objects with one',
    'not-scored': 'a perfect prediction is no hit for the evaluator',
    'crowds-only': 'every object is a crowd: none is trained on or scored',
    'no-classes': 'all pixels are of one class, or ignored',
    'empty-class': 'class folder without images',
}
WARNINGS = {
    'dropped-file': 'image whose name or suffix the reader leaves out',
    'dropped-annotation': 'object that the reader leaves out',
    'unseen-class': 'class that the training split does not have',
}
INFOS = {
    'no-annotations': 'image without any object',
    'duplicate-file-name': 'several image records share one file',
    'ignored-annotation': 'object that the file says is to be ignored',
    'box-beyond': 'box that leaves the image: kept as it is',
    'size-differs': 'size in the annotations differs from the file; nothing uses it',
    'zero-based-box': 'box begins at 0: VOC counts pixels from 1',
    'file-name-mismatch': 'XML names another image; the list counts',
    'not-checked': 'what could not be checked here',
}

_LEVELS = {
    **dict.fromkeys(ERRORS, 'error'),
    **dict.fromkeys(WARNINGS, 'warning'),
    **dict.fromkeys(INFOS, 'info'),
}
_STYLES = {'error': 'red', 'warning': 'yellow', 'info': 'cyan'}


@dataclass
class Finding:
    """One kind of finding in one place.

    Args:
        kind: Name, such as ``'zero-area-box'``.
        where: Split or file.
        count: How often it occurs.
        examples: The first ones, each naming the thing.
    """

    kind: str
    where: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def level(self) -> str:
        """``'error'``, ``'warning'`` or ``'info'``."""
        return _LEVELS[self.kind]

    @property
    def meaning(self) -> str:
        """The kind in words."""
        return {**ERRORS, **WARNINGS, **INFOS}[self.kind]


@dataclass
class CheckResult:
    """Outcome of a check.

    Args:
        root: What was checked.
        max_examples: How many examples each finding keeps.
        layouts: Layouts that were recognised.
        splits: Counts per split or file, such as ``{'images': 90}``.
        findings: By kind and place.
    """

    root: str
    max_examples: int = 3
    layouts: list[str] = field(default_factory=list)
    splits: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def add(self, kind: str, where: str, example: str) -> None:
        """Count one finding of a kind at a place."""
        if kind not in _LEVELS:
            raise KeyError(f'no kind of finding {kind!r}')
        finding = self.findings.setdefault((kind, where), Finding(kind, where))
        finding.count += 1
        if len(finding.examples) < self.max_examples:
            finding.examples.append(example)

    def count(self, kind: str) -> int:
        """Return how often a kind was found, over all places."""
        return sum(f.count for f in self.findings.values() if f.kind == kind)

    def kinds(self, *levels: str) -> set[str]:
        """Return the kinds found at the given levels, or at any."""
        wanted = levels or ('error', 'warning', 'info')
        return {f.kind for f in self.findings.values() if f.level in wanted}

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings and infos do not count."""
        return not self.kinds('error')

    @property
    def exit_code(self) -> int:
        """0 if :attr:`ok`, else 1."""
        return int(not self.ok)

    def counts_table(self) -> Table:
        """Return the counts per split as a table for ``rich``."""
        columns = list(
            dict.fromkeys(key for row in self.splits.values() for key in row)
        )
        table = Table('split', title=', '.join(self.layouts))
        for column in columns:
            table.add_column(column, justify='right')
        for split, row in self.splits.items():
            table.add_row(split, *(str(row.get(column, '')) for column in columns))
        return table

    def findings_table(self) -> Table:
        """Return the findings, errors first, as a table for ``rich``."""
        table = Table('level', 'finding', show_lines=True)
        table.add_column('where', overflow='fold')
        table.add_column('count', justify='right')
        table.add_column('first examples', overflow='fold')
        order = list(_STYLES)
        findings = self.findings.values()
        for finding in sorted(findings, key=lambda found: order.index(found.level)):
            table.add_row(
                f'[{_STYLES[finding.level]}]{finding.level}[/]',
                f'{finding.kind}\n({finding.meaning})',
                escape(finding.where),
                str(finding.count),
                escape('\n'.join(finding.examples)),
            )
        return table
