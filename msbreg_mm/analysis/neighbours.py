"""Nearest neighbours among embeddings, and the picture of them."""

import io

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from msbreg_mm.datasets.sample import ImageSample
from msbreg_mm.utils.errors import OptionError

# Queries handled together; bounds the memory.
_CHUNK = 512
_SAME_CLASS = '#2a9d6b'
# Pixels of the picture.
_SIDE, _GAP, _BAR = 72, 5, 4


def choose_queries(count: int, images: int) -> list[int]:
    """Spread queries evenly over a sample, whatever it shows.

    Args:
        count: Number of queries, at least 1.
        images: Size of the sample.

    Returns:
        Rows, ascending, at most ``images``.
    """
    count = min(count, images)
    return [int((index + 0.5) * images / count) for index in range(count)]


def nearest_neighbours(embeddings: Tensor, queries: list[int], k: int) -> np.ndarray:
    """Find the images nearest to others by cosine, the image itself left out.

    Args:
        embeddings: Unit vectors (N, D).
        queries: Rows to find neighbours of.
        k: Number of neighbours, 1 to N - 1.

    Returns:
        Rows (Q, k), nearest first; of equals the lower row first.

    Raises:
        OptionError: If there are too few images for k.
    """
    if not 1 <= k < len(embeddings):
        raise OptionError(
            f'k must be from 1 to {len(embeddings) - 1}, the number of other images, '
            f'got {k}'
        )
    z, found = embeddings.double(), []
    for rows in torch.tensor(queries).split(_CHUNK):
        similarity = z[rows] @ z.mT
        similarity[torch.arange(len(rows)), rows] = -torch.inf
        order = similarity.argsort(dim=1, descending=True, stable=True)
        found.append(order[:, :k])
    return torch.cat(found).numpy()


def neighbour_agreement(embeddings: Tensor, labels: np.ndarray, k: int) -> float:
    """Share of the k nearest neighbours that have an image's class, in percent.

    Args:
        embeddings: Unit vectors (N, D).
        labels: Classes (N,).
        k: Number of neighbours, 1 to N - 1.

    Returns:
        Mean over all images, in [0, 100]. Chance is the mean share of an image's
        class among the others. An image alone in its class counts as 0.
    """
    rows = nearest_neighbours(embeddings, list(range(len(embeddings))), k)
    return float((labels[rows] == labels[:, None]).mean() * 100)


def draw_neighbours(
    sample: ImageSample, queries: list[int], neighbours: np.ndarray
) -> bytes:
    """Draw a row per query: the image, then its neighbours.

    A bar below a neighbour says that it has the query's class.

    Args:
        sample: The images.
        queries: Rows of the queries.
        neighbours: Rows (Q, k) of their neighbours.

    Returns:
        WebP file with a transparent ground.
    """
    labels, step, first = sample.labels, _SIDE + _GAP, _SIDE + 4 * _GAP
    size = (first + neighbours.shape[1] * step, len(queries) * (step + _BAR))
    canvas = Image.new('RGBA', size)
    draw = ImageDraw.Draw(canvas)
    for row, (query, found) in enumerate(zip(queries, neighbours, strict=True)):
        top = row * (step + _BAR)
        canvas.paste(_thumbnail(sample.images[query]), (0, top))
        for column, index in enumerate(found):
            left = first + column * step
            canvas.paste(_thumbnail(sample.images[index]), (left, top))
            if labels is not None and labels[index] == labels[query]:
                low = top + _SIDE + 1
                draw.rectangle(
                    (left, low, left + _SIDE - 1, low + _BAR - 1), fill=_SAME_CLASS
                )
    buffer = io.BytesIO()
    canvas.save(buffer, 'WEBP', quality=82)
    return buffer.getvalue()


def _thumbnail(image: Tensor) -> Image.Image:
    pixels = image.flip(0).permute(1, 2, 0).numpy()  # mmcv reads BGR
    return Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
