import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset, pseudo_collate
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from msbreg_mm.evaluation.extraction import (
    extract_features,
    feature_size,
    pool_features,
    read_image_numbers,
    read_infos,
    read_labels,
)


class Images(BaseDataset):
    METAINFO = dict(classes=('cat', 'dog', 'owl'))

    def __init__(self, infos, **kwargs):
        self.infos = infos
        # Serialising collects garbage, which takes a second in a large process.
        super().__init__(serialize_data=False, **kwargs)

    def load_data_list(self):
        return [dict(info) for info in self.infos]

    def get_data_info(self, idx):
        raise AssertionError('this would decode the image')


class Served(Images):
    def get_data_info(self, idx):
        info = BaseDataset.get_data_info(self, idx)
        value = torch.full((3, 4, 4), float(info['value']))
        return dict(info, inputs=value + torch.arange(48.0).view(3, 4, 4))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.batches = []

    def data_preprocessor(self, batch, training):
        assert training is False
        return dict(inputs=torch.stack(batch['inputs']))

    def extract_feat(self, inputs):
        self.batches.append(len(inputs))
        return (inputs * self.scale, inputs[:, :1].mean(dim=(2, 3)))


def served(count):
    return Served([dict(value=10 * i, gt_label=i % 3) for i in range(count)])


def test_labels_come_from_the_annotations():
    images = Images([dict(gt_label=label) for label in (2, 0, 1)])
    labels, classes = read_labels(images)
    assert labels.tolist() == [2, 0, 1]
    assert labels.dtype == np.int64
    assert classes == ('cat', 'dog', 'owl')
    both = ConcatDataset([images, Images([dict(gt_label=1)])])
    assert read_labels(both)[0].tolist() == [2, 0, 1, 1]
    assert read_labels(both)[1] == classes
    lazy = Images([dict(gt_label=1)], lazy_init=True)
    assert read_labels(lazy)[0].tolist() == [1]
    assert len(list(read_infos(both))) == 4


def test_several_labels_with_difficult_ones():
    images = Images(
        [
            dict(gt_label=[0, 2], gt_label_difficult=[2, 1]),
            dict(gt_label=[], gt_label_difficult=None),
            dict(gt_label=[1]),
        ]
    )
    labels, _ = read_labels(images)
    # Both difficult and not: an object that counts is there.
    assert labels.tolist() == [[1, -1, 1], [0, 0, 0], [0, 1, 0]]
    assert labels.dtype == np.int8


def test_label_errors():
    unlabelled = Images([dict(gt_label=1), dict(img_path='x/7.jpg')])
    with pytest.raises(ValueError, match=r'val: image 1 \(x/7.jpg\) has no label'):
        read_labels(unlabelled, 'val')
    with pytest.raises(ValueError, match='val has no images'):
        read_labels(Images([]), 'val')
    nameless = Images([dict(gt_label=[1])], metainfo=dict(classes=()))
    with pytest.raises(ValueError, match='several labels need the names of all'):
        read_labels(nameless)
    with pytest.raises(ValueError, match='TensorDataset has no get_data_info'):
        read_labels(TensorDataset(torch.zeros(3)))


def test_pooling():
    maps, vectors = torch.randn(2, 3, 4, 5), torch.randn(2, 6)
    expected = torch.cat([maps.flatten(2).mean(dim=2), vectors], dim=1)
    torch.testing.assert_close(pool_features((maps, vectors)), expected)
    torch.testing.assert_close(pool_features(vectors), vectors)
    # In float32, not in the precision of the map.
    half = torch.full((1, 1, 64, 64), 1.001).half()
    assert pool_features([half]).item() == float(half[0, 0, 0, 0])
    assert pool_features([half]).dtype == torch.float32
    with pytest.raises(
        ValueError, match=r'got \(2, 7, 6\); for a ViT set backbone.out'
    ):
        pool_features((torch.randn(2, 7, 6),))
    with pytest.raises(ValueError, match=r"got <class 'list'>"):
        pool_features(([vectors, maps],))


@pytest.mark.parametrize(('batch_size', 'workers'), [(1, 0), (4, 0), (4, 2), (50, 0)])
def test_rows_come_in_order_whatever_the_sampler(batch_size, workers):
    network, dataset = Network(), served(10)
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        collate_fn=pseudo_collate,
    )
    pieces = list(extract_features(network, loader, range(2, 9)))
    assert max(network.batches) <= batch_size
    assert [row for row, _ in pieces] == list(range(2, 9, batch_size))
    got = np.concatenate([features for _, features in pieces])
    images = np.stack([dataset.get_data_info(i)['inputs'].numpy() for i in range(2, 9)])
    expected = [2 * images.mean(axis=(2, 3)), images[:, :1].mean(axis=(2, 3))]
    np.testing.assert_allclose(got, np.concatenate(expected, axis=1), rtol=1e-6)
    assert feature_size(network, loader) == 4


def test_no_gradient_and_the_given_context():
    entered = []

    class Context:
        def __enter__(self):
            entered.append(torch.is_grad_enabled())

        def __exit__(self, *args):
            pass

    loader = DataLoader(served(5), batch_size=2, collate_fn=pseudo_collate)
    list(extract_features(Network(), loader, range(5), Context))
    assert entered == [False] * 3


def test_repeated_images_are_listed_as_often():
    repeated = RepeatDataset(served(2), 2)
    assert read_labels(repeated)[0].tolist() == [0, 1, 0, 1]


def test_rows_of_one_file_have_one_number():
    names = ('a.jpg', 'b.jpg', 'a.jpg', 'c.jpg')
    images = Images([dict(img_path=name) for name in names])
    assert read_image_numbers(images).tolist() == [0, 1, 0, 2]
    both = ConcatDataset([images, Images([dict(img_path='c.jpg')])])
    assert read_image_numbers(both).tolist() == [0, 1, 0, 2, 2]
    assert read_image_numbers(Images([dict(img_path='a.jpg')])) is None
    assert read_image_numbers(Images([dict(img=0), dict(img=0)])) is None
