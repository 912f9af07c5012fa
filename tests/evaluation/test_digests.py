import os
from pathlib import Path

import torch
from mmengine.dataset import BaseDataset, ConcatDataset
from torch import nn

from msbreg_mm.evaluation.digests import digest, digest_images, digest_weights


def test_digest_of_weights():
    torch.manual_seed(0)
    a = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = digest_weights(a)
    assert before == digest_weights(a)
    assert before != digest_weights(a, a)
    assert digest_weights(a, None) == before
    a[1].running_mean[0] += 1e-6
    after = digest_weights(a)
    assert after != before
    # The same numbers under other names are another network.
    assert digest_weights(nn.ModuleDict(dict(x=a[0]))) != digest_weights(
        nn.ModuleDict(dict(y=a[0]))
    )


def test_digest_of_configs():
    assert digest('a', dict(x=1, y=2)) == digest('a', dict(y=2, x=1))
    assert digest('a', dict(x=1)) != digest('a', dict(x=2))
    assert digest('a', 'b') != digest('b', 'a')
    assert len(digest('a')) == 40


class Files(BaseDataset):
    def load_data_list(self):
        lines = Path(self.ann_file).read_text().split()
        return [dict(img_path=os.path.join(self.data_root, x)) for x in lines]


def test_digest_of_images(tmp_path):
    def make(names=('a.jpg', 'b.jpg')):
        (tmp_path / 'list.txt').write_text('\n'.join(names))
        return Files('list.txt', data_root=str(tmp_path), serialize_data=False)

    for name in 'abc':
        (tmp_path / f'{name}.jpg').write_bytes(b'x')
        os.utime(tmp_path / f'{name}.jpg', (1, 1))
    first = digest_images(make())
    assert digest_images(make()) == first
    assert digest_images(make(('b.jpg', 'a.jpg'))) != first
    assert digest_images(make(('a.jpg', 'c.jpg'))) != first
    assert digest_images(ConcatDataset([make(), make()])) != first
    (tmp_path / 'a.jpg').write_bytes(b'y')  # another image of the same size
    assert digest_images(make()) != first
    os.utime(tmp_path / 'a.jpg', (1, 1))
    assert digest_images(make()) == first
    # The content of an annotation file counts, as a pack holds the images.
    part = make().get_subset([0])
    before = digest_images(part)
    (tmp_path / 'list.txt').write_text('a.jpg\nc.jpg')
    assert digest_images(part) != before
