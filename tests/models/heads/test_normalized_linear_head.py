import pytest
import torch

from msbreg_mm.models.heads import NormalizedLinearClsHead


@pytest.fixture
def head():
    torch.manual_seed(0)
    return NormalizedLinearClsHead(3, 5, loss=dict(type='CrossEntropyLoss'))


def test_scale_and_shift_of_features_do_not_matter(head):
    features = torch.randn(16, 5)
    scores = head((features,))
    torch.testing.assert_close(
        head((1000 * features + 7,)), scores, rtol=1e-3, atol=1e-4
    )


def test_only_the_classifier_has_parameters(head):
    assert [name for name, _ in head.named_parameters()] == ['fc.weight', 'fc.bias']


def test_linear_in_evaluation(head):
    head((torch.randn(16, 5),))
    head.eval()
    a, b = torch.randn(2, 4, 5)
    zero = head((torch.zeros(4, 5),))
    torch.testing.assert_close(head((a + b,)) + zero, head((a,)) + head((b,)))
