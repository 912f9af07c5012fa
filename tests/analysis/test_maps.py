import importlib.util

import numpy as np
import pytest

from msbreg_mm.analysis import maps


def clusters(seed=0):
    rng = np.random.default_rng(seed)
    centres = np.eye(8)[:3].repeat(20, axis=0)
    x = centres + 0.05 * rng.normal(size=(60, 8))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_pca_agrees_with_svd_up_to_signs():
    x = clusters()
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    found = maps.make_map('pca', x)
    np.testing.assert_allclose(np.abs(found), np.abs(u * s)[:, :2], atol=1e-5)


def test_pca_of_degenerate_sets():
    assert maps.make_map('pca', np.ones((2, 1), np.float32)).shape == (2, 2)
    assert (maps.make_map('pca', np.ones((5, 3), np.float32)) == 0).all()


@pytest.mark.slow
def test_umap_keeps_clusters_apart_and_repeats():
    pytest.importorskip('umap')
    x = clusters()
    found = maps.make_map('umap', x, seed=3)
    centres = found.reshape(3, 20, 2).mean(axis=1)
    spread = np.linalg.norm(found.reshape(3, 20, 2) - centres[:, None], axis=-1).max()
    gaps = np.linalg.norm(centres - np.roll(centres, 1, axis=0), axis=-1)
    assert gaps.min() > 2 * spread
    np.testing.assert_array_equal(maps.make_map('umap', x, seed=3), found)
    assert maps.make_map('umap', x[:5]).shape == (5, 2)


def test_errors(monkeypatch):
    with pytest.raises(ValueError, match=r"one of .*'umap'.*got 'tsne'"):
        maps.make_map('tsne', clusters())
    with pytest.raises(ValueError, match='at least 5 images, got 4'):
        maps.make_map('umap', clusters()[:4])
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    assert maps.available_maps() == ('pca',)
    with pytest.raises(ModuleNotFoundError, match=r'pip install .msbreg_mm\[analysis'):
        maps.make_map('umap', clusters())
