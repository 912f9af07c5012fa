"""The examples of docs/extending.md, as a package of somebody else's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / 'docs' / 'extending.md'
PLUGIN = """
from my_package import figures, formats, layouts
"""
# Runs in a process of its own, in which nothing but the plugin knows the package.
SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
import torch
from mmengine.registry import MODELS, init_default_scope
from msbreg_mm.checkpoints import read_checkpoint
from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.registry import PROBES
from msbreg_mm.reports.build import build_tables
from msbreg_mm.reports.plots import Palette
from msbreg_mm.runs.config import LaunchOptions, resolve_config
from msbreg_mm.runs.record import read_records
from msbreg_mm.suite.tasks import load_task
from msbreg_mm.transfer.sections import describe_table
from msbreg_mm.utils.plugins import load_plugins
from msbreg_mm.utils.upstream import import_scope

found = {}
package, suite = Path('my_package'), Path('suite')
import_scope('mmpretrain')
init_default_scope('mmpretrain')
torch.manual_seed(0)
views = [torch.rand(4, 3, 32, 32) for _ in range(4)]
for name in ('hub', 'align'):
    cfg = resolve_config(LaunchOptions(str(package / f'{name}_cifar10.py')))
    model = MODELS.build(cfg.model)
    losses = model.loss(views, [])
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    found[name] = {k: float(v) for k, v in losses.items()}
    found[f'{name}_trains'] = bool(model.backbone.conv1.weight.grad.abs().sum() > 0)

found['plugins'] = load_plugins()
from mmpretrain.models import ResNet
state = ResNet(18).state_dict()
renamed = {}
for key, value in state.items():
    new = f'root.{key}' if key.startswith(('conv1', 'bn1')) else key
    if new.startswith('layer'):
        stage, unit, rest = new.split('.', 2)
        new = f'stage{stage[5:]}.unit{unit}.{rest}'
    renamed[new] = value
torch.save({'model': renamed}, 'lab.pth')
read = read_checkpoint('lab.pth')
found['format'] = read.arch
found['equal'] = all(torch.equal(read.state_dict[k], v) for k, v in state.items()
                     if not k.endswith('num_batches_tracked'))

import my_package.probes
rng = np.random.default_rng(0)
labels = np.arange(60) % 3
points = (rng.normal(size=(60, 8)) + 4 * np.eye(8)[labels]).astype(np.float32)
sets = [FeatureSet(points[i::2], labels[i::2], ('a', 'b', 'c')) for i in (0, 1)]
found['probe'] = PROBES.build({'type': 'msbreg_mm.NearestMeanProbe'})(*sets, seed=0)

task = load_task(package / 'leaves.py')
found['task'] = [task.protocol, task.metrics[0].title, str(task.schedule)]

(table,) = build_tables(read_records(suite))
section = describe_table(table, Palette([row.name for row in table.rows]))
found['figure'] = 'minutes of a run' in section.others[0].svg()
print(json.dumps(found))
"""


@pytest.fixture(scope='module')
def package(tmp_path_factory):
    root = tmp_path_factory.mktemp('extending')
    text = PAGE.read_text(encoding='utf-8')
    blocks = re.findall(r'```python\n# (my_package/\S+)\n(.*?)```', text, flags=re.S)
    assert len(blocks) == 9
    (root / 'my_package').mkdir()
    (root / 'my_package' / '__init__.py').touch()
    (root / 'my_package' / 'plugin.py').write_text(PLUGIN)
    for name, code in blocks:
        (root / name).write_text(code)
    return root


def run(package, *command):
    path = os.pathsep.join([str(package), os.environ.get('PYTHONPATH', '')])
    env = {**os.environ, 'PYTHONPATH': path, 'MSBREG_PLUGINS': 'my_package.plugin'}
    return subprocess.run(
        [sys.executable, *command], cwd=package, env=env, capture_output=True, text=True
    )


def test_the_examples_work(package):
    import json

    from synthetic import write_coco, write_suite

    truth = write_coco(package / 'data')
    skills = {'random': 0.3, 'mine': 0.6}
    write_suite(
        package / 'suite', 'task', 'p', truth, truth.parent / 'images', skills, (0, 1)
    )
    done = run(package, '-c', SCRIPT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {'loss_centroid', 'loss_hub'} <= found['hub'].keys()
    assert 0 < found['hub']['loss_hub'] < 0.1
    assert found['align'].keys() == {'loss_align', 'loss_apart'}
    assert found['hub_trains']
    assert found['align_trains']
    assert found['plugins'] == ['my_package.plugin']
    assert found['format'] == 'resnet18'
    assert found['equal']
    assert found['probe']['nearest_mean/top1'] > 90
    assert found['task'][:2] == ['leaves: fine-tuning R18-w16, 30 epochs', 'top-1']
    assert found['figure']


def test_commands_import_plugins(package):
    data = package / 'csv'
    data.mkdir()
    (data / 'labels.csv').write_text('a.jpg,1\n')
    done = run(package, '-m', 'msbreg_mm', 'data', 'check', str(data))
    assert done.returncode == 1
    assert 'missing-image' in done.stdout
    assert 'a.jpg' in done.stdout


def test_a_plugin_that_is_not_there_is_named(package, monkeypatch):
    from msbreg_mm.utils.errors import OptionError
    from msbreg_mm.utils.plugins import load_plugins

    monkeypatch.setenv('MSBREG_PLUGINS', 'no_such_module')
    with pytest.raises(OptionError, match='plugin no_such_module cannot be imported'):
        load_plugins()
