import pytest
import torch

from msbreg_mm.models.losses import (
    EmbeddingLoss,
    MultiviewCentroidLoss,
    at_least_float32,
    check_finite,
)


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_at_least_float32(given: torch.dtype, expected: torch.dtype) -> None:
    assert at_least_float32(torch.ones(1, dtype=given)).dtype == expected


def test_weighted_passes_options_and_shows_weight() -> None:
    loss = EmbeddingLoss(loss_weight=0.25)
    value = loss.weighted(
        lambda x, form: x.sum() if form == 'sum' else x,
        torch.ones(4).half(),
        form='sum',
    )
    assert value.item() == 1
    assert value.dtype == torch.float32
    assert repr(loss) == 'EmbeddingLoss(loss_weight=0.25)'
    centroid = MultiviewCentroidLoss(loss_weight=2)
    assert repr(centroid) == "MultiviewCentroidLoss(loss_weight=2, form='view')"


def test_check_finite_passes() -> None:
    check_finite({'loss_a': torch.tensor(1.0)}, online=torch.full((1, 1, 1), torch.nan))


def test_check_finite_names_terms_and_embeddings() -> None:
    z = torch.ones(3, 4, 5)
    z[1, 2, 0] = torch.inf
    z[1, 3, :] = torch.nan
    losses = {'loss_a': torch.tensor(1.0), 'loss_b': torch.tensor(torch.nan)}
    match = (
        r'^loss_b is not finite: online embeddings hold NaN or infinity in 2 of 12 '
        r'vectors \(views \[1\]\)\. Lower the learning rate'
    )
    with pytest.raises(FloatingPointError, match=match):
        check_finite(losses, online=z, target=torch.ones(3, 4, 5))


def test_check_finite_of_finite_embeddings_points_elsewhere() -> None:
    with pytest.raises(FloatingPointError, match=r'loss_a is not .*the other ranks'):
        check_finite({'loss_a': torch.tensor(torch.inf)}, online=torch.ones(1, 2, 3))
