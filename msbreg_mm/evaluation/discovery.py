"""Finding one object of an image without labels, and how often it is one: CorLoc."""

from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from scipy.linalg import eigh
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_iou

from msbreg_mm.utils.errors import DataError, OptionError


class Region(NamedTuple):
    """Patches that are taken for an object.

    Args:
        mask: (h, w) booleans, one connected component.
        seed: Row and column of the patch that it grew from.
    """

    mask: np.ndarray
    seed: tuple[int, int]


@torch.no_grad()
def lost(features: Tensor, grid: tuple[int, int], k_patches: int = 100) -> Region:
    """Grow a region from the patch that is like the fewest others.

    Siméoni et al., "Localizing Objects with Self-Supervised Transformers and no
    Labels", BMVC 2021, arXiv 2109.14279, Section 3.2. Two patches are alike if the
    product of their features is positive. The seed is the patch with the fewest
    like it; the ``k_patches`` patches of lowest degree that are like the seed vote
    with the sum of their products, and the connected component (4 neighbours) of
    positive sums that holds the seed is the object. Equal degrees stand in the order
    of torch's sort, as in the authors' code: a stable sort gives another seed or box
    for one image in seven.

    Args:
        features: (N, D) of patches in row-major order, not normalised; the keys of
            a ViT's last attention layer, or :func:`standardized` maps of a CNN.
        grid: Rows and columns, whose product is N.
        k_patches: Patches that may vote, at least 1; all if there are fewer. 100 in
            the paper.

    Returns:
        The region.

    Raises:
        DataError: If a feature is not finite or shapes do not fit.
        OptionError: If ``k_patches`` is out of range.
    """
    _check(features, grid)
    check_votes(k_patches)
    products = features.float() @ features.float().mT
    degree = (products > 0).sum(dim=1) - (products.diagonal() > 0).long()
    # In falling order of a negative float32, not stable: ties as the authors have them.
    order = (-degree).float().argsort(descending=True)
    seed, candidates = int(order[0]), order[:k_patches]
    voters = candidates[products[seed, candidates] > 0]
    votes = products[voters].sum(dim=0).reshape(grid)
    return _component((votes > 0).cpu().numpy(), seed)


def token_cut(
    features: Tensor, grid: tuple[int, int], tau: float = 0.2, eps: float = 1e-5
) -> Region:
    """Cut a graph of patches in two and keep the part of the clearest patch.

    Wang et al., "Self-Supervised Transformers for Unsupervised Object Discovery
    using Normalized Cut", CVPR 2022, arXiv 2202.11539, Section 3. Patches are
    joined by an edge of weight 1 where their cosine exceeds ``tau``, else ``eps``.
    The eigenvector of the second smallest eigenvalue of ``(D - W) x = λ D x`` is
    cut at its mean; the patch of the largest absolute value is the seed, its side
    the foreground, of which the connected component (4 neighbours) that holds the
    seed is the object.

    Time grows with the cube of the number of patches, memory with its square.

    Args:
        features: (N, D) of patches in row-major order.
        grid: Rows and columns, whose product is N.
        tau: Least cosine of an edge, in [-1, 1); the paper's.
        eps: Weight of the other pairs, positive, so that the graph is connected;
            the paper's.

    Returns:
        The region.

    Raises:
        DataError: If a feature is not finite or shapes do not fit.
        OptionError: If ``tau`` or ``eps`` is out of range.
    """
    _check(features, grid)
    check_edges(tau, eps)
    unit = F.normalize(features.float(), dim=1)
    alike = (unit @ unit.mT).cpu().numpy() > tau
    if len(alike) < 2:
        return _component(np.ones(grid, bool), 0)
    weights = np.where(alike, 1.0, eps)
    degrees = np.diag(weights.sum(axis=1))
    # The third, too: the solver's rounding depends on how many are asked for.
    vectors = eigh(
        degrees - weights, degrees, subset_by_index=[1, min(2, len(alike) - 1)]
    )[1]
    vector = vectors[:, 0]
    seed = int(np.abs(vector).argmax())
    above = vector > vector.sum() / len(vector)
    return _component((above == above[seed]).reshape(grid), seed)


def check_votes(k_patches: int) -> None:
    """Raise :class:`OptionError` if :func:`lost` cannot take it."""
    if k_patches < 1:
        raise OptionError(f'k_patches must be at least 1, got {k_patches}')


def check_edges(tau: float, eps: float) -> None:
    """Raise :class:`OptionError` if :func:`token_cut` cannot take them."""
    if not -1 <= tau < 1 or not 0 < eps < 1:
        raise OptionError(
            f'tau must be in [-1, 1) and eps in (0, 1), got {tau} and {eps}'
        )


def standardized(features: Tensor) -> Tensor:
    """Bring a CNN's map to mean 0 and variance 1, as LOST does before its products.

    Mean and variance are those of all patches and channels of the image together.
    Without it the features after a ReLU have no negative product.

    Args:
        features: (N, D).
    """
    return F.layer_norm(features.float(), features.shape)


def region_box(
    region: Region, stride: tuple[float, float], size: tuple[int, int]
) -> np.ndarray:
    """Return the box around a region, in pixels, cut at the image.

    Args:
        region: What was found.
        stride: Height and width of a patch in pixels.
        size: Height and width of the image.

    Returns:
        (4,) float64: left, top, right, bottom; edges, not pixels.
    """
    rows, columns = np.nonzero(region.mask)
    return np.array(
        [
            columns.min() * stride[1],
            rows.min() * stride[0],
            min((columns.max() + 1) * stride[1], size[1]),
            min((rows.max() + 1) * stride[0], size[0]),
        ],
        np.float64,
    )


def box_ious(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of a box with others.

    Args:
        box: (4,) left, top, right, bottom.
        boxes: (n, 4).

    Returns:
        (n,) float64; 0 where the union is empty.
    """
    one, others = (
        torch.from_numpy(np.asarray(x, np.float64).reshape(-1, 4)) for x in (box, boxes)
    )
    return box_iou(one, others)[0].nan_to_num(0.0).numpy()


def is_located(box: np.ndarray, boxes: np.ndarray, threshold: float = 0.5) -> bool:
    """Whether a found box is one of the true ones, as CorLoc counts it.

    Deselaers et al., IJCV 2012; LOST's and TokenCut's rule: an intersection over
    union of at least one half with any object, whatever its class.

    Args:
        box: (4,).
        boxes: (n, 4).
        threshold: Least intersection over union.
    """
    return bool((box_ious(box, boxes) >= threshold).any())


def _component(mask: np.ndarray, seed: int) -> Region:
    place = divmod(seed, mask.shape[1])
    labels, _ = ndimage.label(mask)
    if labels[place] == 0:  # features of zero: like nothing, not even themselves
        alone = np.zeros_like(mask)
        alone[place] = True
        return Region(alone, place)
    return Region(labels == labels[place], place)


def _check(features: Tensor, grid: tuple[int, int]) -> None:
    if features.ndim != 2 or len(features) != grid[0] * grid[1] or not len(features):
        raise DataError(
            f'features of a grid of {grid[0]} x {grid[1]} patches must be '
            f'({grid[0] * grid[1]}, D), got {tuple(features.shape)}'
        )
    finite = features.isfinite().all(dim=1)
    if not bool(finite.all()):
        raise DataError(
            f'{int((~finite).sum())} of {len(features)} patches hold NaN or infinity; '
            'the checkpoint that made them is broken, or its training diverged'
        )
