import pytest

from msbreg_mm.ablation.spec import load_ablation
from msbreg_mm.runs.changes import ChangeError


def test_named_variants(write_ablation, tmp_path):
    ablation = load_ablation(
        write_ablation(
            "variants={'full': {}, 'no term': {'model.head.term': None}, 'none': None},"
            "reference='full', seeds=(3, 1), changes={'epochs': 2}"
        )
    )
    full, no_term, none = ablation.variants
    assert ablation.name == 'study'
    assert ablation.seeds == (3, 1)
    assert ablation.tasks == (str(tmp_path / 'probe_tiny.py'),)
    assert full.config()['model']['head']['term'] == {'form': 'a'}
    assert no_term.config()['model']['head']['term'] is None
    assert no_term.config()['train_cfg']['max_epochs'] == 2
    assert no_term.slug == 'no-term'
    assert none.base is None
    with pytest.raises(ValueError, match='random initialisation'):
        none.config()


def test_grid_multiplies_values_and_named_levels(write_ablation):
    ablation = load_ablation(
        write_ablation(
            "grid={'model.head.weight': [0, 0.1], 'size': {"
            "'small': {'optim_wrapper.optimizer.lr': 1, 'epochs': 2}, 'large': {}}},"
            "variants={'none': None}"
        )
    )
    assert [variant.name for variant in ablation.variants] == [
        'head.weight=0, small',
        'head.weight=0, large',
        'head.weight=0.1, small',
        'head.weight=0.1, large',
        'none',
    ]
    assert ablation.factors == ('head.weight', 'size')
    first = ablation.variants[0]
    assert first.levels == {'head.weight': 0, 'size': 'small'}
    cfg = first.config()
    assert cfg['model']['head']['weight'] == 0
    assert cfg['optim_wrapper']['optimizer']['lr'] == 1
    assert cfg['train_cfg']['max_epochs'] == 2


def test_equal_short_names_stay_long(write_ablation):
    ablation = load_ablation(
        write_ablation(
            "grid={'param_scheduler.0.end': [1], 'param_scheduler.1.end': [3]}"
        )
    )
    (variant,) = ablation.variants
    assert variant.name == 'param_scheduler.0.end=1, param_scheduler.1.end=3'


def test_levels_may_bring_their_base(write_ablation, tmp_path):
    text = (tmp_path / 'base.py').read_text()
    (tmp_path / 'other.py').write_text(text.replace('gain=2.0', 'gain=7.0'))
    ablation = load_ablation(
        write_ablation("grid={'method': {'a': {}, 'b': {'base': 'other.py'}}}")
    )
    assert [v.config()['model']['gain'] for v in ablation.variants] == [2.0, 7.0]


def test_inherited_ablation(write_ablation, tmp_path):
    write_ablation("variants={'full': {}}, seeds=(0, 1)")
    child = tmp_path / 'child.py'
    child.write_text("_base_ = ['study.py']\nablation = dict(seeds=(5,))\n")
    ablation = load_ablation(child)
    assert ablation.name == 'child'
    assert ablation.seeds == (5,)
    assert ablation.variants[0].name == 'full'


def test_select(write_ablation):
    ablation = load_ablation(
        write_ablation("variants={'a 1': {}, 'a 2': {}, 'b [x]': {}}, reference='a 1'")
    )
    chosen = ablation.select(['a*'], [7])
    assert [v.name for v in chosen.variants] == ['a 1', 'a 2']
    assert chosen.seeds == (7,)
    assert chosen.reference == 'a 1'
    assert ablation.select(['b [x]'], []).variants[0].name == 'b [x]'
    with pytest.raises(ValueError, match=r"no variant 'c' in study; it has: 'a 1'"):
        ablation.select(['c'], [])
    with pytest.raises(ValueError, match='distinct whole numbers'):
        ablation.select([], [-1])


@pytest.mark.parametrize(
    ('text', 'match'),
    [
        ("variants={'x': {'model.head.wieght': 1}}", r"'x'.*did you mean 'weight'"),
        ("variants={'x': {}}, sedes=(0,)", "no 'sedes'; it takes base, changes"),
        ("variants={'x': {}}, seeds=(0, -1)", r'distinct.* from 0, got \[0, -1'),
        ("variants={'x': {}}, seeds=(0, 0)", 'distinct whole numbers'),
        ("variants={'x': {}}, seeds=()", 'distinct whole numbers'),
        ("variants={'x': {}}, reference='y'", "'y' is neither a level.*'x'"),
        ("variants={'a b': {}, 'A/b': {}}", "'a b' and 'A/b' would share a folder"),
        ("variants={'x': 3}", "variant 'x' holds 3; write a dict"),
        ('variants=3', 'variants is a dict'),
        ('grid={}', 'give variants or a grid'),
        ("grid={'model.head.weight': []}", 'none of them empty'),
        ("grid={'f': {'a': 3}}", "level 'a' of 'f' holds 3"),
        ("grid={'model.gain': [1], 'f': {'a': {'model.gain': 2}}}",
         "two factors of the grid change 'model.gain'"),
        ("grid={'model.gain': [1]}, variants={'model.gain=1': {}}", 'share a folder'),
    ],
)  # fmt: skip
def test_malformed(write_ablation, text, match):
    with pytest.raises(ValueError, match=match):
        load_ablation(write_ablation(text))


def test_missing_files_and_parts(write_ablation, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no ablation .*nowhere\.py'):
        load_ablation(tmp_path / 'nowhere.py')
    tasks = "tasks=['probe_tiny.py'], "
    with pytest.raises(FileNotFoundError, match=r"no base config gone\.py for .*'x'"):
        load_ablation(write_ablation("variants={'x': {}}", f"base='gone.py', {tasks}"))
    with pytest.raises(ValueError, match="variant 'x' has no base"):
        load_ablation(write_ablation("variants={'x': {}}", tasks))
    with pytest.raises(ValueError, match='tasks must list at least one'):
        load_ablation(write_ablation("variants={'x': {}}", "base='base.py', "))
    (tmp_path / 'empty.py').write_text('a = 1\n')
    with pytest.raises(ValueError, match='does not define ablation'):
        load_ablation(tmp_path / 'empty.py')


def test_changes_that_no_base_has_name_the_variant(write_ablation):
    path = write_ablation("grid={'model.nothing.x': [1, 2]}")
    with pytest.raises(ChangeError, match=r"variant 'nothing\.x=1' of .*base\.py"):
        load_ablation(path)
