import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.few_shot import FewShotResult, draw_episodes, few_shot


def blobs(images: int = 300, classes: int = 8, spread: float = 1.0) -> FeatureSet:
    rng = np.random.default_rng(0)
    means = rng.normal(size=(classes, 6))
    y = np.arange(images) % classes
    x = means[y] + spread * rng.normal(size=(images, 6))
    names = tuple(f'class{c}' for c in range(classes))
    return FeatureSet(x.astype(np.float32), y.astype(np.int64), names, 'val')


def test_episodes_are_what_they_should_be() -> None:
    features = blobs()
    rows = draw_episodes(features, 5, 4, 200, np.random.default_rng(0))
    assert rows.shape == (200, 5, 4)
    labels = features.labels[rows]
    assert (labels == labels[:, :, :1]).all()  # one class in each row
    for episode, classes in zip(rows, labels[:, :, 0], strict=True):
        assert len(set(classes)) == 5
        assert len(set(episode.ravel())) == 20
    # All classes and all images turn up, the classes equally often at each place.
    share = np.stack([np.bincount(labels[:, w, 0], minlength=8) for w in range(5)])
    assert (abs(share / 200 - 1 / 8) < 0.1).all()
    assert len(np.unique(rows)) == len(features)


def test_episodes_depend_on_the_seed() -> None:
    def draw(seed: int) -> np.ndarray:
        return draw_episodes(blobs(), 5, 4, 3, np.random.default_rng(seed))

    assert (draw(0) == draw(0)).all()
    assert (draw(0) != draw(1)).any()


def naive(features: FeatureSet, shots: int, classifier: str, normalize: bool) -> list:
    """Episode by episode, with scikit-learn's classifiers."""
    rows = draw_episodes(features, 5, shots + 15, 30, np.random.default_rng(7))
    accuracies = []
    for episode in rows:
        support, query, truth, given = [], [], [], []
        for way, images in enumerate(episode):
            for i, image in enumerate(images):
                x = features.features[image].astype(float)
                if normalize:
                    x = x / np.linalg.norm(x)
                (support if i < shots else query).append(x)
                (given if i < shots else truth).append(way)
        model = (
            NearestCentroid()
            if classifier == 'centroid'
            else LogisticRegression(max_iter=1000)
        )
        predicted = model.fit(support, given).predict(query)
        accuracies.append(100 * np.mean(predicted == np.array(truth)))
    return accuracies


@pytest.mark.filterwarnings('ignore:invalid value')  # NearestCentroid, one shot
@pytest.mark.parametrize('classifier', ['centroid', 'logistic'])
@pytest.mark.parametrize('normalize', [True, False])
@pytest.mark.parametrize('shots', [1, 5])
def test_agrees_with_a_naive_implementation(
    classifier: str, normalize: bool, shots: int
) -> None:
    features = blobs()
    result = few_shot(
        features, 5, shots, 15, 30, classifier=classifier, normalize=normalize, seed=7
    )
    expected = naive(features, shots, classifier, normalize)
    np.testing.assert_allclose(result.accuracies, expected)
    assert 25 < result.mean < 95


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    features = blobs()
    expected = few_shot(features, episodes=40).accuracies
    monkeypatch.setattr('msbreg_mm.evaluation.few_shot._CHUNK', 7 * 5 * 16 * 6)
    assert (few_shot(features, episodes=40).accuracies == expected).all()


def test_separate_classes_are_perfect_and_equal_ones_are_chance() -> None:
    assert few_shot(blobs(spread=1e-3)).mean == 100
    noise = blobs(classes=5)
    rng = np.random.default_rng(1)
    x = rng.normal(size=noise.features.shape).astype(np.float32)
    result = few_shot(FeatureSet(x, noise.labels), episodes=2000)
    assert result.mean == pytest.approx(20, abs=1)


def test_interval() -> None:
    result = FewShotResult(np.array([50.0, 70.0]))
    assert result.mean == 60
    assert result.interval == pytest.approx(1.96 * 10 / 2**0.5)


def test_a_zero_feature_is_no_error() -> None:
    features = blobs()
    x = features.features.copy()
    x[0] = 0
    few_shot(FeatureSet(x, features.labels), episodes=5)


def test_bad_input() -> None:
    features = blobs(classes=4)
    with pytest.raises(ValueError, match='5-way episodes need 5 classes, there are 4'):
        few_shot(features)
    with pytest.raises(ValueError, match='shots and queries must be at least 1'):
        few_shot(features, 3, 0)
    with pytest.raises(ValueError, match='shots and queries must be at least 1'):
        few_shot(features, 3, 1, 0)
    with pytest.raises(ValueError, match='ways must be at least 2'):
        few_shot(features, 1)
    with pytest.raises(ValueError, match='episodes at least 1'):
        few_shot(features, 3, episodes=0)
    with pytest.raises(ValueError, match="centroid, logistic, got 'svm'"):
        few_shot(features, 3, classifier='svm')
    labels = features.labels.copy()
    labels[:] = 0
    labels[:10] = 1
    labels[10:200] = 3
    small = FeatureSet(features.features, labels, features.classes, 'val (list.txt)')
    message = r"val \(list.txt\): 2 of 4 classes \('class1', 'class2'\).*fewer than 16"
    with pytest.raises(ValueError, match=message):
        few_shot(small, 3)
    several = FeatureSet(features.features, np.ones((300, 2), np.int8))
    with pytest.raises(ValueError, match='one class an image, these have several'):
        few_shot(several, 2)
