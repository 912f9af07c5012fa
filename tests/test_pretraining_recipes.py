"""Pretraining configs do what docs/pretraining_recipes.md says, row by row.

The page is the table of the sources' values. A value is read from the optimizer,
schedule, views and model that a config builds, never from the config's own text.
"""

import fnmatch
import re
from functools import cache

import pytest
import torch
from pretraining_facts import CONFIGS, FACTS, Recipe, resolved
from test_configs import ROOT

PAGE = ROOT / 'docs' / 'pretraining_recipes.md'
# Rows that every config must have; adaptation belongs to LARS.
REQUIRED = (*tuple(FACTS)[:4], *tuple(FACTS)[5:14], *tuple(FACTS)[16:23])
ALL = sorted(
    path.relative_to(CONFIGS).with_suffix('').as_posix()
    for pattern in ('pretrain/*.py', 'msbreg_*.py', 'demo/*_1xb64-*.py')
    for path in CONFIGS.glob(pattern)
    if not path.name.startswith('supervised')
)
PLAIN = [name for name in ALL if '-reg_' not in name]
REGULARIZED = [name for name in ALL if '-reg_' in name]


@cache
def sections():
    """The page's tables: (patterns of configs, rows)."""
    found, rows = [], []
    for line in PAGE.read_text().splitlines():
        if line.startswith('Configs: '):
            rows = []
            found.append((re.findall('`(.+?)`', line), rows))
        elif line.startswith('| ') and not line.startswith(('| value', '| ---')):
            rows.append([cell.strip() for cell in line.strip('|').split('|')])
    return found


def rows_of(name):
    return [
        row
        for patterns, rows in sections()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        for row in rows
    ]


def read(recipe, value):
    """A fact, or what a dotted path in backticks leads to in model or config."""
    if value in FACTS:
        return FACTS[value](recipe)
    for node in (recipe.model, recipe.cfg):
        try:
            for part in value.strip('`').split('.'):
                if isinstance(node, (list, tuple)):
                    node = node[int(part)]
                else:
                    node = node[part] if isinstance(node, dict) else getattr(node, part)
        except (AttributeError, KeyError):
            continue
        return node
    pytest.fail(f'{value} is neither a fact nor in the model or the config')


def shown(value):
    if isinstance(value, torch.Size):
        return ', '.join(map(str, value))
    return f'{value:.10g}' if isinstance(value, (int, float)) else str(value)


@pytest.mark.filterwarnings('ignore:Detected call of `scheduler.step')
@pytest.mark.parametrize('name', PLAIN)
def test_recipe_is_that_of_the_page(name):
    rows = rows_of(name)
    values = [row[0] for row in rows]
    assert len(values) == len(set(values))
    missing = [value for value in REQUIRED if value not in values]
    assert not missing, f'{PAGE.name} says nothing of {missing}'
    built = Recipe(name)
    wrong = [
        f'{value}: the config has {found}, {PAGE.name} {here} (source: {source})'
        for value, source, here, *_ in rows
        if (found := shown(read(built, value))) != here
    ]
    assert not wrong, '; '.join(wrong)


@pytest.mark.parametrize('name', REGULARIZED)
def test_regularised_recipe_is_that_of_its_method(name):
    base = resolved(name.replace('-reg_', '_').replace('-4views', '')).to_dict()
    found = resolved(name).to_dict()
    assert found['model']['type'] == 'msbreg_mm.Regularized'
    assert found['model'].pop('algorithm') == base['model']
    # four views in place of two, which all_pairs takes
    views = {'train_dataloader'} if found['model'].get('all_pairs') else set()
    ignored = {'model', 'work_dir', 'regularized', 'terms', *views}
    assert {key: found[key] for key in base if key not in ignored} == {
        key: value for key, value in base.items() if key not in ignored
    }


@pytest.mark.parametrize('name', REGULARIZED)
def test_weights_of_the_regularisers_are_those_of_their_page(name):
    text = (ROOT / 'docs' / 'regularized.md').read_text()
    _, rows = text.split('| weights of singular value, Brownian | demo | ImageNet |')
    stem = name.rpartition('/')[2].partition('-reg_')[0]
    for line in rows.splitlines()[2:]:
        methods, *weights = [cell.strip() for cell in line.strip('|').split('|')]
        if stem in methods.lower().replace(' ', '').split(','):
            break
    terms = resolved(name).model.terms
    found = f'{terms.singular_value.loss_weight:g}, {terms.brownian.loss_weight:g}'
    assert found == weights[name.startswith('pretrain/')]


def test_every_difference_to_a_source_has_a_reason():
    for patterns, rows in sections():
        assert any(fnmatch.filter(ALL, pattern) for pattern in patterns), patterns
        for value, source, here, where, remark in rows:
            assert where or remark, (patterns, value, 'no source')
            assert all([value, source, here])
            assert source == here or remark, (patterns, value, source, here)
