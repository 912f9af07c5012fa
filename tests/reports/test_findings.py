"""Sentences say what the table says: better, worse, or that nothing is known."""

import math

import pytest

from msbreg_mm.reports.cells import footnote, row_cells
from msbreg_mm.reports.findings import findings
from msbreg_mm.reports.table import ResultTable, Row, Run, best, fill
from msbreg_mm.runs.columns import Column
from msbreg_mm.runs.record import DRAWS_NOTHING, Identity, Record, StoredRecord

AP, RANK = Column('ap', 'AP', 1.0), Column('effective_rank', 'rank', 1.0)
LOSS = Column('val/loss', 'loss', 1.0)
WORDS = ('better in', 'worse in', 'higher in', 'lower in', 'no difference', 'not known')


def stored(seed, notes=()):
    record = Record(
        't', 'p', 'c', Identity('c' * 64, '', seed), {}, [], {}, 'CPU', 1.0, {}, {},
        list(notes),
    )  # fmt: skip
    return StoredRecord(record, None)


def row(name, *columns, random=False, notes=()):
    """Columns are (column, values of the seeds from 0)."""
    count = max(len(values) for _, values in columns)
    runs = [
        Run(
            seed,
            {c.key: values[seed] for c, values in columns if seed < len(values)},
            [stored(seed, notes)],
        )
        for seed in range(count)
    ]
    return Row(name, runs, is_random=random)


def table(*rows, reference='base', columns=(AP,), noun='variant'):
    made = ResultTable(
        't', '', '', list(columns), list(rows), noun=noun, reference=repr(reference)
    )
    found = {row.name: row for row in rows}
    return fill(made, lambda _: found.get(reference))


BASE = row('base', (AP, [30.0, 31.0, 32.0]))


def said(text):
    return {word for word in WORDS if word in text}


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        ([35.0, 36.2, 36.9], {'better in'}),
        ([25.0, 26.2, 26.9], {'worse in'}),
        ([30.5, 30.4, 32.9], {'no difference'}),
        ([30.001, 30.999, 32.0], {'no difference'}),
        ([35.0], {'not known'}),
        ([35.0, 36.0], {'not known'}),  # no spread at all
        ([30.5, 31.6], {'no difference'}),
    ],
)
def test_one_metric(values, expected):
    made = table(BASE, row('x', (AP, values)))
    (sentence, *_) = findings(made)
    assert said(sentence) == expected
    assert f"x against 'base', {len(values)} shared seed" in sentence
    # The very numbers of the table.
    shown = row_cells(made, made.rows[1])[3].rstrip('*')
    assert f'AP ({shown})' in sentence
    assert ('*' in row_cells(made, made.rows[1])[3]) == bool(
        expected & {'better in', 'worse in'}
    )


def test_two_seeds_hardly_know():
    made = table(BASE, row('x', (AP, [32.0, 33.9])))
    assert 'but two seeds hardly show one' in findings(made)[0]
    assert 'Two seeds hardly say' in footnote(made)


def test_mixed_metrics_are_all_named():
    columns = (AP, LOSS, RANK)
    base = row(
        'base', (AP, [30.0, 31, 32]), (LOSS, [1.0, 1.1, 1.2]), (RANK, [5.0, 6, 7])
    )
    mixed = row(
        'x', (AP, [24.0, 25.1, 26.2]), (LOSS, [0.5, 0.61, 0.7]), (RANK, [9.0, 10, 11.1])
    )
    (sentence,) = findings(table(base, mixed, columns=columns))
    assert said(sentence) == {'better in', 'worse in', 'higher in'}
    better, worse, higher = sentence.split(': ', 1)[1].split('; ')
    assert better.startswith('better in loss (-0.5')  # less of it is better
    assert worse.startswith('worse in AP (-5.9')
    assert higher.startswith('higher in rank')
    assert best(table(base, mixed, columns=columns), LOSS).name == 'x'
    assert best(table(base, mixed, columns=columns), RANK) is None


def test_random_initialisation_that_beats_everything_is_said():
    """The page once said '2 of 2 within seed noise' above such a table."""
    made = table(
        BASE,
        row('x', (AP, [30.2, 30.9, 32.4])),
        row('none', (AP, [50.0, 51.1, 52.0]), random=True),
    )
    text = '\n'.join(findings(made))
    assert "none against 'base', 3 shared seeds: better in AP (+20.0" in text
    assert "base against 'none', 3 shared seeds: worse in AP" in text
    assert "x against 'none', 3 shared seeds: worse in AP" in text


def test_many_rows_are_counted_both_ways():
    up = [row(f'up{i}', (AP, [34.0 + i, 35.1 + i, 36.0 + i])) for i in range(5)]
    down = [row(f'down{i}', (AP, [20.0 - i, 21.1 - i, 22.0 - i])) for i in range(2)]
    other = [row('same', (AP, [30.4, 30.8, 32.3])), row('one', (AP, [31.0]))]
    (sentence,) = findings(table(BASE, *up, *down, *other))[:1]
    assert sentence.startswith("AP, 9 variants against 'base': 5 better (most: up4,")
    assert '2 worse (most: down1, -11' in sentence
    assert '1 with no difference shown; 1 without a spread' in sentence


def test_what_does_not_outlast_the_correction_is_no_difference():
    # t = 5.2 with two degrees of freedom: p = 0.035 alone.
    near = [33.0, 33.0, 36.0]
    alone = table(BASE, row('x', (AP, near)))
    assert 'better in AP' in findings(alone)[0]
    several = table(BASE, *(row(f'x{i}', (AP, near)) for i in range(3)))
    assert 'better' not in findings(several)[0]
    assert 'does not outlast the correction' in findings(several)[0]
    assert not row_cells(several, several.rows[1])[3].endswith('*')
    assert 'for the 3 comparisons' in footnote(several)


def test_missing_runs_and_rows_are_named():
    lonely = Row('y', [Run(7, {'ap': 40.0}, [stored(7)])])
    failed = Row('z', [Run(s, failure='code 1: it broke') for s in range(3)])
    made = table(BASE, row('x', (AP, [35.0])), lonely, failed)
    text = '\n'.join(findings(made))
    assert 'Seeds are missing: x (1 of 3), y (1 of 3) and z (0 of 3).' in text
    assert 'Not compared, for want of a shared seed or a reference: y.' in text
    assert row_cells(made, failed)[1] == '0 (3 failed)'


def test_a_value_that_is_no_number_enters_no_mean():
    made = table(BASE, row('x', (AP, [40.0, math.nan, 44.0])))
    summary = made.rows[1].summaries['ap']
    assert (summary.mean, summary.n) == (42, 2)
    assert made.rows[1].differences['ap'].n == 2
    assert made.rows[1].notes == ['AP: 1 of 3 not finite']


def test_what_draws_nothing_has_one_run_and_says_so():
    once = row('x', (AP, [45.0]), notes=[DRAWS_NOTHING])
    made = table(BASE, once)
    sentence, *rest = findings(made)
    assert said(sentence) == {'not known'}
    assert rest == []  # its other seeds are not missing
    assert not row_cells(made, once)[3].endswith('*')
