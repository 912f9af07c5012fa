import math
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from msbreg_mm.evaluation import knn_accuracy, knn_predict
from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.knn import _nearest, _stable_topk


def direction(*degrees: float) -> Tensor:
    angle = torch.tensor(degrees).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    data, labels = (torch.tensor(x) for x in load_digits(return_X_y=True))
    return data[:1200], labels[:1200], data[1200:], labels[1200:]


def test_hand_computed_votes() -> None:
    bank = direction(0, 20, 30)
    labels = torch.tensor([0, 1, 1])
    query = direction(5)
    # Cosines of 5, 15 and 25 degrees; weights exp(cos / T): at T = 0.01 the
    # nearest outweighs the others (99.62 > 96.59, 90.63), at T = 1 two outvote it.
    got = knn_predict(bank, labels, query, ks=(1, 3), temperatures=(0.01, 1.0))
    assert {key: int(value) for key, value in got.items()} == {
        (1, 0.01): 0,
        (3, 0.01): 0,
        (1, 1.0): 0,
        (3, 1.0): 1,
    }
    assert math.exp(99.62 - 96.59) > 1 + math.exp(90.63 - 96.59)


def test_accuracy_is_in_percent() -> None:
    bank, labels = direction(0, 90, 180, 270), torch.arange(4)
    queries = direction(5, 95, 185, 265)
    accuracy = knn_accuracy(bank, labels, queries, torch.tensor([0, 1, 2, 0]), ks=[1])
    assert accuracy == {(1, 0.07): 75.0}


@pytest.mark.parametrize('k', [1, 7, 200])
@pytest.mark.parametrize('temperature', [0.02, 0.07, 1.0])
def test_agrees_with_scikit_learn_to_the_last_prediction(
    k: int, temperature: float
) -> None:
    bank, labels, queries, truth = digits()
    reference = KNeighborsClassifier(
        n_neighbors=k,
        metric='cosine',
        algorithm='brute',
        weights=lambda distance: np.exp((1 - distance) / temperature),
    ).fit(bank.numpy(), labels.numpy())
    expected = reference.predict(queries.numpy())
    got = knn_predict(bank, labels, queries, ks=(k,), temperatures=(temperature,))
    np.testing.assert_array_equal(got[k, temperature].numpy(), expected)
    accuracy = knn_accuracy(
        bank, labels, queries, truth, ks=(k,), temperatures=(temperature,)
    )
    score = reference.score(queries.numpy(), truth.numpy())
    assert accuracy[k, temperature] == pytest.approx(100 * score)


def test_float32_and_half_features_agree_on_real_data() -> None:
    bank, labels, queries, _ = digits()
    expected = knn_predict(bank, labels, queries)
    for dtype in (torch.float32, torch.float16):
        got = knn_predict(bank.to(dtype), labels, queries.to(dtype))
        for key, value in got.items():
            assert (value == expected[key]).float().mean() > 0.99


def test_lists_equal_single_calls() -> None:
    bank, labels, queries, _ = digits()
    ks, temperatures = (3, 1, 50), (0.07, 0.5)
    together = knn_predict(bank, labels, queries, ks, temperatures)
    assert set(together) == {(k, t) for k in ks for t in temperatures}
    for (k, t), predicted in together.items():
        alone = knn_predict(bank, labels, queries, (k,), (t,))[k, t]
        assert torch.equal(predicted, alone)


@pytest.mark.parametrize('chunk_size', [1, 7, 64])
def test_chunks_do_not_matter(chunk_size: int) -> None:
    bank, labels, queries, _ = (x[:300] for x in digits())
    expected = knn_predict(bank, labels, queries, ks=(5, 200))
    got = knn_predict(bank, labels, queries, ks=(5, 200), chunk_size=chunk_size)
    for key, value in got.items():
        assert torch.equal(value, expected[key])


def test_scale_of_features_does_not_matter() -> None:
    bank, labels, queries, _ = digits()
    scale = torch.rand(len(bank), 1, generator=torch.Generator().manual_seed(0)) + 0.5
    expected = knn_predict(bank, labels, queries)
    got = knn_predict(bank * scale, labels, queries * 3)
    for key, value in got.items():
        assert torch.equal(value, expected[key])


@pytest.mark.parametrize('chunk_size', [1, 100])
def test_equal_similarities_go_to_the_lower_row(chunk_size: int) -> None:
    # 40 copies of one feature: the first k vote. With chunk_size = 1 they are
    # spread over chunks of 16 rows.
    bank = torch.tensor([[0.0, 1.0]] + [[1.0, 0.0]] * 40)
    labels = torch.tensor([9] + [3] * 5 + [1] * 35)
    got = knn_predict(
        bank, labels, torch.tensor([[2.0, 0.0]]), ks=(5, 9, 11), chunk_size=chunk_size
    )
    assert [int(value) for value in got.values()] == [3, 3, 1]


def test_neighbors_stand_in_stable_order() -> None:
    # Few distinct values: ties within and across the last place.
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 4, (200, 50), generator=generator).float()
    expected = values.argsort(dim=1, descending=True, stable=True)
    for k in (1, 10, 50):
        assert torch.equal(_stable_topk(values, k), expected[:, :k])


@pytest.mark.parametrize('order', ['rising', 'falling', 'shuffled', 'constant'])
def test_blocks_agree_with_one_sort_of_the_whole_bank(order: str) -> None:
    # Rising: every block holds more than k candidates for each query. Coarse angles
    # make ties inside and across blocks.
    degrees = {
        'rising': torch.linspace(180, 0, 300).round(),
        'falling': torch.linspace(0, 180, 300).round(),
        'shuffled': (torch.arange(300) * 7919 % 180).float(),
        'constant': torch.full((300,), 40.0),
    }[order]
    queries = direction(-20, -10, 0)
    bank = direction(*degrees)
    whole = torch.nn.functional.normalize(queries.double()) @ bank.double().T
    expected = whole.float().sort(dim=1, descending=True, stable=True)
    found = _nearest(bank, queries.split(2), 12, 32)
    rows = torch.cat([rows for _, rows in found])
    similarity = torch.cat([similarity for similarity, _ in found])
    torch.testing.assert_close(similarity, expected.values[:, :12])
    # The angles behind equal similarities are the rows' own.
    torch.testing.assert_close(whole.float().gather(1, rows), similarity)
    ties = similarity[:, 1:] == similarity[:, :-1]
    assert (rows[:, 1:] > rows[:, :-1])[ties].all()
    assert all(len(set(row.tolist())) == 12 for row in rows)


def test_equal_votes_go_to_the_lower_class() -> None:
    bank, labels = direction(10, -10), torch.tensor([2, 1])
    query = torch.tensor([[1.0, 0.0]])
    assert int(knn_predict(bank, labels, query, ks=(2,))[2, 0.07]) == 1


def test_small_temperature_does_not_overflow() -> None:
    bank, labels, queries, _ = digits()
    got = knn_predict(bank, labels, queries, ks=(1, 20), temperatures=(1e-4,))
    nearest = knn_predict(bank, labels, queries, ks=(1,))[1, 0.07]
    assert torch.equal(got[1, 1e-4], nearest)
    assert (got[20, 1e-4] == nearest).float().mean() > 0.9


def read_pixels(file: Path, count: int) -> tuple[Tensor, Tensor]:
    with np.load(file) as pack:
        jpeg, offset, label = pack['jpeg'], pack['offset'], pack['label']
    images = [
        cv2.imdecode(jpeg[offset[i] : offset[i + 1]], cv2.IMREAD_COLOR)
        for i in range(count)
    ]
    pixels = torch.tensor(np.stack(images)).flatten(1).float() / 255 - 0.5
    return pixels, torch.tensor(label[:count])


def test_real_images_beat_chance(shared_data: Path) -> None:
    bank, labels = read_pixels(shared_data / 'cifar10_24k' / 'train.npz', 2000)
    queries, truth = read_pixels(shared_data / 'cifar10_24k' / 'val.npz', 500)
    accuracy = knn_accuracy(bank, labels, queries, truth, ks=(10, 20))
    assert min(accuracy.values()) > 20  # 10 classes, raw pixels


@pytest.mark.parametrize('temperature', [0.07, 0.1])
def test_agrees_with_scikit_learn_on_real_features(
    cifar_features: tuple[FeatureSet, FeatureSet], temperature: float
) -> None:
    train, val = cifar_features
    ks = (10, 20, 200)
    got = knn_predict(train.features, train.labels, val.features, ks, [temperature])
    for k in ks:
        reference = KNeighborsClassifier(
            n_neighbors=k,
            metric='cosine',
            algorithm='brute',
            weights=lambda distance: np.exp((1 - distance) / temperature),
        ).fit(train.features.astype(np.float64), train.labels)
        expected = reference.predict(val.features.astype(np.float64))
        np.testing.assert_array_equal(got[k, temperature].numpy(), expected)


def test_memory_mapped_bank(tmp_path: Path) -> None:
    bank, labels, queries, truth = digits()
    expected = knn_accuracy(bank.float(), labels, queries.float(), truth)
    for dtype in (np.float32, np.float16):
        np.save(tmp_path / 'bank.npy', bank.numpy().astype(dtype))
        mapped = np.load(tmp_path / 'bank.npy', mmap_mode='r')
        found = knn_accuracy(
            mapped, labels.numpy(), queries.numpy().astype(dtype), truth.numpy(),
            chunk_size=50, device='cpu',
        )  # fmt: skip
        assert found == expected  # pixels are small integers


# A process of its own; queries, their neighbours and one block, not the bank.
MEMORY = """
import sys
import numpy as np
from pathlib import Path
from msbreg_mm.evaluation import knn_predict

def mib(name):
    lines = Path('/proc/self/status').read_text().splitlines()
    return int(next(x for x in lines if x.startswith(name)).split()[1]) / 1024

def call(bank):
    labels = np.zeros(len(bank), np.int64)
    knn_predict(bank, labels, np.ones((64, 256), np.float32), [20], chunk_size=64)

call(np.ones((100, 256), np.float32))
bank = np.load(sys.argv[1], mmap_mode='r')
for part in (bank[:8192], bank):
    Path('/proc/self/clear_refs').write_text('5')
    before = mib('VmRSS')
    call(part)
    print(mib('VmHWM') - before)
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_memory_does_not_grow_with_the_bank(tmp_path: Path) -> None:
    # 128 MiB, and its first 8 MiB.
    path = tmp_path / 'bank.npy'
    bank = np.lib.format.open_memmap(path, 'w+', np.float32, (131072, 256))
    bank[:] = 1
    bank.flush()
    command = [sys.executable, '-c', MEMORY, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    small, large = (float(line) for line in done.stdout.split())
    assert large < small + 8


def test_a_class_that_the_bank_lacks_is_missed() -> None:
    bank, labels = direction(0, 90), torch.tensor([0, 1])
    accuracy = knn_accuracy(bank, labels, direction(1, 89), torch.tensor([0, 5]), (1,))
    assert accuracy[1, 0.07] == 50


def test_errors() -> None:
    bank, labels, queries = torch.rand(6, 4), torch.arange(6), torch.rand(3, 4)
    with pytest.raises(ValueError, match=r'ks must be .* 1 to 6, the size of the bank'):
        knn_predict(bank, labels, queries, ks=(1, 7))
    with pytest.raises(ValueError, match=r'ks must be numbers from 1.*\[0\]'):
        knn_predict(bank, labels, queries, ks=(0,))
    with pytest.raises(ValueError, match=r'ks must be numbers from 1.*\[\]'):
        knn_predict(bank, labels, queries, ks=())
    with pytest.raises(ValueError, match=r'temperatures must be positive, got \[0\]'):
        knn_predict(bank, labels, queries, ks=(1,), temperatures=(0,))
    with pytest.raises(ValueError, match='chunk_size must be at least 1, got 0'):
        knn_predict(bank, labels, queries, ks=(1,), chunk_size=0)
    with pytest.raises(ValueError, match=r'shapes \(M, D\).*\(6, 4\) and \(3, 3\)'):
        knn_predict(bank, labels, queries[:, :3], ks=(1,))
    with pytest.raises(ValueError, match='queries is empty'):
        knn_predict(bank, labels, queries[:0], ks=(1,))
    with pytest.raises(ValueError, match=r'bank_labels must be integers of.*\(6,\)'):
        knn_predict(bank, labels[:5], queries, ks=(1,))
    with pytest.raises(ValueError, match=r'bank_labels must be integers.*float32'):
        knn_predict(bank, labels.float(), queries, ks=(1,))
    with pytest.raises(ValueError, match=r'bank_labels .*got 0 to 5 for num_classes=3'):
        knn_predict(bank, labels, queries, ks=(1,), num_classes=3)
    with pytest.raises(ValueError, match=r'query_labels must be in .*got -1 to'):
        knn_accuracy(bank, labels, queries, torch.tensor([0, -1, 2]), ks=(1,))
    with pytest.raises(
        ValueError, match=r'query_labels must be integers of shape \(3,\)'
    ):
        knn_accuracy(bank, labels, queries, labels, ks=(1,))
    bank[4, 1] = torch.nan
    with pytest.raises(ValueError, match='bank: 1 of 6 features hold NaN'):
        knn_predict(bank, labels, queries, ks=(1,))
    with pytest.raises(ValueError, match='bank: 1 of 6 features hold NaN'):
        knn_predict(bank.numpy(), labels, queries, ks=(1,))
    with pytest.raises(ValueError, match='queries: 1 of 6 features hold NaN'):
        knn_predict(queries, labels[:3], bank, ks=(1,))
