"""From checkpoints to the page, on a tiny generated set."""

import copy
import json
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from analysis_fixtures import write_images
from chromium import screenshot
from mmengine.dataset import pseudo_collate
from mmpretrain.models import SelfSupDataPreprocessor
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader

from msbreg_mm.analysis.run import AnalysisOptions, run_analysis
from msbreg_mm.checkpoints import CheckpointError, sha256
from msbreg_mm.datasets.sample import sample_images
from msbreg_mm.evaluation import summarize
from msbreg_mm.evaluation.embedding import build_embedder, embed
from msbreg_mm.evaluation.extraction import extract_features
from msbreg_mm.utils.errors import InputError


def options(config, *checkpoints, **changes):
    base = dict(max_images=12, queries=3, neighbours=4, maps=['pca'])
    return AnalysisOptions(checkpoints, str(config), **{**base, **changes})


@pytest.fixture(scope='module')
def page(tiny_set, tiny_checkpoint, tmp_path_factory):
    out = tmp_path_factory.mktemp('out')
    names = 'random', f'a & <b>={tiny_checkpoint}'
    with pytest.raises(ValueError, match='cannot name a folder'):
        run_analysis(options(tiny_set, *names))
    return run_analysis(
        options(tiny_set, 'random', f'byol={tiny_checkpoint}', out=str(out))
    )


def test_json_holds_everything(page, tiny_cfg, tiny_checkpoint):
    result = json.loads(page.with_name('analysis.json').read_text())
    assert list(result['checkpoints']) == ['random', 'byol']
    assert {'torch', 'mmpretrain', 'python'} <= set(result['versions'])
    assert re.fullmatch('[0-9a-f]{64}', result['config_hash'])
    data = result['data']
    assert (data['images'], data['views'], data['dimensions']) == (12, 2, 64)
    assert data['labels'] == [0] * 4 + [1] * 4 + [2] * 4
    assert data['chance_agreement'] == pytest.approx(100 * 3 / 11)
    byol = result['checkpoints']['byol']
    assert byol['sha256'] == sha256(tiny_checkpoint)
    assert byol['match_report']['missing'] == 0
    assert byol['match_report']['matched'] > 90
    # The figures are those of features computed here without this package.
    sample = sample_images(tiny_cfg, 'val', 12, 2)
    state = torch.load(tiny_checkpoint)['state_dict']
    from mmpretrain.models import ResNet

    net = ResNet(18, stem_channels=8, base_channels=8)
    net.load_state_dict(
        {k[9:]: v for k, v in state.items() if k.startswith('backbone.')}
    )
    net.eval()
    x = sample.images.flip(1).float() - torch.tensor([120.0, 110, 100]).view(3, 1, 1)
    with torch.no_grad():
        z = F.normalize(net(x / 60)[-1].mean((2, 3)), dim=-1)
    expected = summarize(z)
    assert {k: byol['measures'][k] for k in expected} == pytest.approx(
        expected, rel=1e-4
    )
    assert len(byol['singular_values']) == 12
    assert len(byol['std_per_dimension']) == 64
    assert np.array(byol['neighbours']).shape == (3, 4)
    assert np.array(byol['maps']['pca']).shape == (12, 2)


def test_figures_are_files_of_their_own(page):
    folder = page.parent / 'figures'
    assert sorted(file.name for file in folder.iterdir()) == [
        'map_pca.svg', 'neighbours_byol.webp', 'neighbours_random.webp',
        'spectrum.svg', 'std.svg',
    ]  # fmt: skip
    for file in folder.glob('*.svg'):
        text = file.read_text()
        assert 'var(--' not in text
        assert 'fill="#ffffff"' in text
    picture = Image.open(folder / 'neighbours_byol.webp').convert('RGB')
    assert picture.width > 5 * 72
    # The first query is of the class whose images are blue.
    left, top = np.asarray(picture)[10:60, 10:60].reshape(-1, 3).mean(0), 100
    assert left[2] > max(left[:2]) + top


def test_page_shows_everything_and_loads_nothing(page):
    text = page.read_text()
    for part in ('effective rank', 'PCA map', 'Nearest neighbours', 'byol', 'initial'):
        assert part in text
    without_data = re.sub(r'data:image/\w+;base64,[^"]*', '', text)
    for url in re.findall(r'(?:href|src)="([^"]*)"', without_data):
        assert url in ('', 'data:,') or url.startswith('#'), url
    assert '<script' not in text
    assert not re.search(r'#0[1-4]0[0-4]0', without_data), 'a stand-in colour is left'


@pytest.mark.parametrize(('width', 'dark'), [(400, True)])
def test_chromium_shows_the_analysis(page, tmp_path, width, dark):
    pixels = screenshot(page, tmp_path, width, dark)
    assert ((pixels < 90).mean() > (pixels > 200).mean()) == dark


def test_neck_of_swav(tiny_cfg):
    cfg = copy.deepcopy(tiny_cfg)
    loss = dict(type='SwAVLoss', feat_dim=12, num_crops=[2, 0], num_prototypes=5)
    cfg.model = dict(
        type='SwAV',
        backbone=tiny_cfg.model.backbone,
        neck=dict(type='SwAVNeck', in_channels=64, hid_channels=16, out_channels=12),
        head=dict(type='SwAVHead', loss=dict(**loss, epsilon=0.05, temperature=0.1)),
    )
    network, _ = build_embedder(cfg, 'random', 'neck')
    images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    assert embed(network, images, batch_size=2).shape == (5, 12)


def test_neck_embeds_what_the_losses_see(tiny_cfg, tiny_checkpoint):
    network, _ = build_embedder(tiny_cfg, str(tiny_checkpoint), 'neck')
    state = torch.load(tiny_checkpoint)['state_dict']
    for key, value in network.model.neck.state_dict().items():
        torch.testing.assert_close(value, state[f'neck.{key}'])
    images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    z = embed(network, images, batch_size=2)
    assert z.shape == (5, 12)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(z, embed(network, images), rtol=1e-4, atol=1e-5)


def test_random_weights_follow_the_seed(tiny_cfg):
    def first(seed):
        network, report = build_embedder(tiny_cfg, 'random', seed=seed)
        assert report == {'checkpoint': 'random'}
        return network.model.conv1.weight.detach()

    torch.testing.assert_close(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_analysis_and_probes_pool_alike(tiny_cfg, tiny_checkpoint):
    """Several stages stand side by side, as in the features of a probe."""
    cfg = copy.deepcopy(tiny_cfg)
    cfg.model.backbone.out_indices = (1, 3)
    network, _ = build_embedder(cfg, str(tiny_checkpoint))
    images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    preprocessor = SelfSupDataPreprocessor(**{
        key: value for key, value in cfg.data_preprocessor.items() if key != 'type'
    })  # fmt: skip
    model = SimpleNamespace(
        data_preprocessor=lambda batch, training: preprocessor(
            dict(inputs=torch.stack(batch['inputs']), data_samples=None), training
        ),
        extract_feat=network.model,
    )
    loader = DataLoader(
        [dict(inputs=image) for image in images], 2, collate_fn=pseudo_collate
    )
    parts = [part for _, part in extract_features(model, loader, range(5))]
    probed = torch.from_numpy(np.concatenate(parts))
    assert probed.shape == (5, 16 + 64)
    torch.testing.assert_close(network(images), probed)


def broken(tiny_checkpoint, tmp_path, change):
    content = torch.load(tiny_checkpoint)
    change(content['state_dict'])
    path = tmp_path / 'broken.pth'
    torch.save(content, path)
    return str(path)


def test_checkpoints_that_do_not_fit(tiny_cfg, tiny_checkpoint, tmp_path):
    def poison(state):
        state['backbone.layer1.0.conv1.weight'][0] = float('nan')

    path = broken(tiny_checkpoint, tmp_path, poison)
    with pytest.raises(CheckpointError, match=r'NaN or infinite.*layer1\.0\.conv1'):
        build_embedder(tiny_cfg, path)

    def poison_neck(state):
        state['neck.fc0.weight'][0] = float('nan')

    path = broken(tiny_checkpoint, tmp_path, poison_neck)
    with pytest.raises(CheckpointError, match=r'NaN or infinite.*fc0'):
        build_embedder(tiny_cfg, path, 'neck')

    path = broken(tiny_checkpoint, tmp_path, lambda s: s.pop('neck.fc0.weight'))
    with pytest.raises(CheckpointError, match=r'no projector that fits.*--layer'):
        build_embedder(tiny_cfg, path, 'neck')

    from mmpretrain.models import ResNet

    torch.save(ResNet(50, stem_channels=8, base_channels=8).state_dict(), path)
    with pytest.raises(CheckpointError, match=r'is resnet50.*backbone is resnet18'):
        build_embedder(tiny_cfg, path)


def test_bad_input(tiny_set, tmp_path):
    cases = {
        'no checkpoint nowhere.pth': options(tiny_set, 'nowhere.pth'),
        'no config file': options(tmp_path / 'no.py', 'random'),
        'no test_dataloader': options(tiny_set, 'random', split='test'),
        'at least one checkpoint': options(tiny_set),
        "map must be one of ('pca', 'umap'), got 'tsne'": options(
            tiny_set, 'random', maps=['tsne'], max_images=4
        ),
        "layer must be one of ('backbone', 'neck')": options(
            tiny_set, 'random', layer='head', max_images=4
        ),
        'two checkpoints are called': options(tiny_set, 'random', 'random'),
    }
    for message, bad in cases.items():
        with pytest.raises(InputError, match=re.escape(message)):
            run_analysis(bad)
    assert not (tmp_path / 'out').exists()


def test_one_class_without_names_of_others(tiny_set, tmp_path):
    write_images(tmp_path, per_class=3, classes=('only',))
    page = run_analysis(
        options(
            tiny_set,
            'random',
            out=str(tmp_path / 'out'),
            views=0,
            cfg_options={'val_dataloader.dataset.data_root': str(tmp_path)},
        )
    )
    result = json.loads(page.with_name('analysis.json').read_text())
    measures = result['checkpoints']['random']['measures']
    assert measures['neighbour_agreement'] == 100
    assert result['data']['chance_agreement'] == 100
    assert 'alignment' not in measures


@pytest.mark.parametrize(
    ('arguments', 'code'),
    [
        (['analyze_embeddings.py', 'nowhere.pth', '--config', 'x.py'], 2),
        (['draw_particles.py', '--steps', '2', '--out', 'out/free.svg'], 0),
        (['draw_particles.py', 'nowhere'], 2),
        (['draw_particles.py', '--target-momentum', '1', '--out', 'a.svg'], 2),
    ],
)
def test_tools(arguments, code, monkeypatch, tmp_path):
    tools = Path(__file__).parents[2] / 'tools'
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', arguments)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(tools / arguments[0]), run_name='__main__')
    assert ended.value.code == code
    written = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob('*') if p.is_file()]
    assert written == (['out/free.svg'] if code == 0 else [])
