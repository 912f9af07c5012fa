"""Two-dimensional maps of embeddings: PCA and UMAP."""

import importlib.util
import warnings

import numpy as np

from msbreg_mm.utils.errors import MissingPackageError, OptionError

MAPS = ('pca', 'umap')
TITLES = {'pca': 'PCA', 'umap': 'UMAP'}
# umap-learn's own defaults, but for the metric: embeddings are compared by angle.
_UMAP = {'n_neighbors': 15, 'min_dist': 0.1, 'metric': 'cosine'}
_LEAST_FOR_UMAP = 5


def available_maps() -> tuple[str, ...]:
    """Maps that can be made here: UMAP needs the extra ``analysis``."""
    return tuple(
        name for name in MAPS if name == 'pca' or importlib.util.find_spec('umap')
    )


def make_map(kind: str, embeddings: np.ndarray, seed: int = 0) -> np.ndarray:
    """Place embeddings in the plane.

    Args:
        kind: ``'pca'`` (linear: the two directions of largest variance) or
            ``'umap'`` (McInnes et al., arXiv 1802.03426: neighbourhoods are kept,
            distances and densities are not).
        embeddings: (N, D), N at least 2; D = 1 gets a second coordinate of 0.
        seed: Seed of UMAP.

    Returns:
        (N, 2) float32.

    Raises:
        OptionError: If the kind is unknown or UMAP has fewer than 5 images.
        MissingPackageError: If umap-learn is not installed.
    """
    if kind == 'pca':
        return _pca(embeddings)
    if kind != 'umap':
        raise OptionError(f'map must be one of {MAPS}, got {kind!r}')
    if len(embeddings) < _LEAST_FOR_UMAP:
        raise OptionError(
            f'UMAP needs at least {_LEAST_FOR_UMAP} images, got {len(embeddings)}; use '
            '--maps pca'
        )
    if not importlib.util.find_spec('umap'):
        raise MissingPackageError(
            "UMAP needs umap-learn: pip install 'msbreg_mm[analysis]', or use "
            '--maps pca'
        )
    # Importing numba takes seconds, so only here.
    from umap import UMAP

    neighbours = min(int(_UMAP['n_neighbors']), len(embeddings) - 1)  # type: ignore[call-overload]
    # PCA as the start: the spectral one fails on sets of few images.
    reducer = UMAP(
        **{**_UMAP, 'n_neighbors': neighbours}, init='pca', random_state=seed, n_jobs=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)
        return np.asarray(reducer.fit_transform(embeddings), np.float32)


def _pca(embeddings: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA

    count = min(2, *embeddings.shape)
    with np.errstate(invalid='ignore'):  # variance of one point repeated is 0 / 0
        flat = PCA(count, svd_solver='full').fit_transform(
            embeddings.astype(np.float64)
        )
    return np.pad(flat, ((0, 0), (0, 2 - count))).astype(np.float32)
