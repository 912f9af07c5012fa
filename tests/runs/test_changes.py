import copy

import pytest

from msbreg_mm.runs.changes import ChangeError, apply_changes

CFG = {
    'model': {
        'head': {'singular_value': {'loss_weight': 0.01}, 'brownian': {'form': 'x'}}
    },
    'custom_hooks': [{'momentum': 0.9}, {'interval': 50}],
    'param_scheduler': [
        {'type': 'LinearLR', 'by_epoch': True, 'begin': 0, 'end': 2},
        {'type': 'CosineAnnealingLR', 'begin': 2, 'end': 10, 'T_max': 8},
        {'type': 'ConstantLR', 'by_epoch': False, 'begin': 0, 'end': 10},
    ],
    'train_cfg': {'max_epochs': 10},
}


def changed(**changes):
    cfg = copy.deepcopy(CFG)
    apply_changes(cfg, {key.replace('__', '.'): v for key, v in changes.items()})
    return cfg


def test_values_replace_what_stands_there():
    cfg = copy.deepcopy(CFG)
    apply_changes(
        cfg,
        {
            'model.head.singular_value': None,
            'model.head.brownian': {'form': 'y', 'deep': [1]},
            'custom_hooks.0.momentum': 0.5,
            'custom_hooks.-1.interval': 10,
        },
    )
    assert cfg['model']['head'] == {
        'singular_value': None,
        'brownian': {'form': 'y', 'deep': [1]},
    }
    assert cfg['custom_hooks'] == [{'momentum': 0.5}, {'interval': 10}]


def test_values_are_copied():
    value = {'form': 'y'}
    first, second = copy.deepcopy(CFG), copy.deepcopy(CFG)
    for cfg in (first, second):
        apply_changes(cfg, {'model.head.brownian': value})
    first['model']['head']['brownian']['form'] = 'z'
    assert second['model']['head']['brownian'] == value == {'form': 'y'}


def test_plus_adds_keys_and_appends():
    cfg = copy.deepcopy(CFG)
    apply_changes(
        cfg,
        {
            '+model.head.predictor': {'type': 'P'},
            '+custom_hooks.-': {'type': 'H'},
            '+imports.-': 'x',
        },
    )
    assert cfg['model']['head']['predictor'] == {'type': 'P'}
    assert cfg['custom_hooks'][2:] == [{'type': 'H'}]
    assert cfg['imports'] == ['x']


def test_epochs_take_the_schedulers_along():
    cfg = changed(epochs=4)
    warmup, cosine, by_iter = cfg['param_scheduler']
    assert cfg['train_cfg']['max_epochs'] == 4
    assert warmup == CFG['param_scheduler'][0]
    assert (cosine['begin'], cosine['end'], cosine['T_max']) == (2, 4, 2)
    assert by_iter == CFG['param_scheduler'][2]


@pytest.mark.parametrize(
    ('key', 'match'),
    [
        (
            'model.head.singular_valeu',
            r"no key 'model.head.singular_valeu': model.head has no "
            r"'singular_valeu'; did you mean 'singular_value'\?.*'\+model.head",
        ),
        ('modle.head', "the config has no 'modle'; did you mean 'model'"),
        ('model.head.x', "it has 'singular_value', 'brownian'"),
        ('model.brownian', "has no 'brownian'; did you mean 'model.head.brownian'"),
        ('custom_hooks.2.momentum', "list of 2, '2' is none.*'\\+custom_hooks.-'"),
        ('custom_hooks.first', "'first' is none of its indices"),
        ('train_cfg.max_epochs.x', "train_cfg.max_epochs is 10, it has no 'x'"),
        ('+modle.head', "no 'modle'; did you mean 'model'"),
        ('+model.head.-', "appends to a list, but model.head is {"),
    ],
)  # fmt: skip
def test_wrong_keys_are_named_with_their_neighbours(key, match):
    with pytest.raises(ChangeError, match=match):
        apply_changes(copy.deepcopy(CFG), {key: 1})


@pytest.mark.parametrize(
    ('epochs', 'match'),
    [(0, 'whole number from 1'), (2.5, 'whole number'), (2, 'before a scheduler begi')],
)
def test_bad_epochs(epochs, match):
    with pytest.raises(ChangeError, match=match):
        changed(epochs=epochs)


def test_epochs_of_an_iteration_based_config():
    with pytest.raises(ChangeError, match="counts iterations: use 'iters'"):
        apply_changes({'train_cfg': {'max_iters': 5}}, {'epochs': 3})
