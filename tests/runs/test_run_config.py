"""A run's config comes back as it was, and nothing of it is executed."""

import json

import pytest
from mmengine.config import Config
from mmengine.registry import FUNCTIONS, MODELS

import msbreg_mm.models  # noqa: F401
from msbreg_mm.runs.run_config import (
    CONFIG,
    read_run_config,
    registered_only,
    write_run_config,
)
from msbreg_mm.utils.errors import DamagedFileError, InputError, MissingInputError


@pytest.fixture
def vis(tmp_path):
    vis = tmp_path / '20250101_000000' / 'vis_data'
    vis.mkdir(parents=True)
    (vis / 'scalars.json').write_text('')
    return vis


def test_tuples_keys_and_classes_come_back(vis, tmp_path):
    content = {
        'scale': (32, (4, 5)),
        'palette': [(1, 2, 3)],
        'by_number': {1: 'a', (2, 3): {'b': ()}},
        'inf': float('inf'),
        'none': None,
        'type': MODELS,
    }
    write_run_config(vis, Config(content))
    found = read_run_config(tmp_path).to_dict()
    assert found.pop('type') == str(MODELS)
    del content['type']
    assert found == content


def test_shipped_configs_come_back(vis, tmp_path):
    for name in ('demo/mask-rcnn_r18-w16-fpn_14e_shapes', 'msbreg_r50_imagenet'):
        cfg = Config.fromfile(f'configs/{name}.py', import_custom_modules=False)
        write_run_config(vis, cfg)
        assert read_run_config(tmp_path).to_dict() == cfg.to_dict()


def test_python_is_not_run(vis, tmp_path):
    (vis / 'config.py').write_text(f'open({str(tmp_path / "mark")!r}, "w")')
    with pytest.raises(MissingInputError, match='is a program, which is not run'):
        read_run_config(tmp_path)
    assert not (tmp_path / 'mark').exists()


def test_no_run(tmp_path):
    with pytest.raises(MissingInputError, match=r'no vis_data/scalars\.json'):
        read_run_config(tmp_path)


@pytest.mark.parametrize(
    'text',
    ['', '[]', '1', '{', '[' * 100_000, '{"filename": 1}', '{"__items__": [1]}',
     '{"__items__": [[[], 1]]}', '{"a": {"__tuple__": 3}}', '"\ud800"'],
)  # fmt: skip
def test_damaged(text, vis, tmp_path):
    (vis / CONFIG).write_bytes(text.encode('utf-8', 'surrogatepass'))
    with pytest.raises((DamagedFileError, InputError), match=CONFIG):
        read_run_config(tmp_path)


def test_a_type_is_not_a_path_of_a_function(tmp_path):
    """mmengine calls whatever a type names, unless it is told not to."""
    mark = tmp_path / 'mark'
    evil = {'type': 'os.mkdir', 'path': str(mark)}
    with registered_only(), pytest.raises(KeyError, match=r'os\.mkdir'):
        MODELS.build(evil)
    with registered_only(), pytest.raises(KeyError):
        FUNCTIONS.build(evil)
    assert not mark.exists()
    MODELS.build(json.loads(json.dumps(evil)))
    assert mark.exists(), 'or the test above shows nothing'
