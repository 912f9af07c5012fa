"""The discovery probe, from images with boxes to CorLoc."""

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import DataLoader

from msbreg_mm.evaluation.object_images import ObjectImage, object_images
from msbreg_mm.evaluation.probes.discovery import (
    DiscoveryProbe,
    LostProbe,
    TokenCutProbe,
)
from msbreg_mm.utils.errors import DataError, OptionError


class Images:
    """Black images with one white square; every instance is annotated."""

    metainfo = {'classes': ('square',)}

    def __init__(self, sizes=((48, 64), (50, 70)), crowd=False, scale=1):
        self.sizes, self.crowd, self.scale = sizes, crowd, scale

    def __len__(self):
        return len(self.sizes)

    def get_data_info(self, index):
        box = [x * self.scale for x in (16, 8, 32, 24)]
        instance = {'bbox': box, 'bbox_label': 0, 'ignore_flag': int(self.crowd)}
        return {'img_path': f'{index}.png', 'instances': [instance]}

    def __getitem__(self, index):
        height, width = self.sizes[index]
        pixels = torch.zeros(3, height, width)
        pixels[:, 8:24, 16:32] = 1
        shape = (height * self.scale, width * self.scale)
        sample = BaseDataElement(
            metainfo={'img_path': f'{index}.png', 'ori_shape': shape}
        )
        return {'inputs': pixels, 'data_samples': sample}


class Network(nn.Module):
    """Maps of stride 8: brightness, darkness."""

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.value = value

    def data_preprocessor(self, batch, training):
        return {'inputs': torch.stack(batch['inputs'])}

    def backbone(self, images):
        mean = nn.functional.avg_pool2d(images[:, :1], 8)
        return (torch.cat([mean - 0.5, 1 - mean], dim=1) * self.value,)


def see(probe: DiscoveryProbe, dataset: Images, value: float = 1.0) -> dict:
    probe.begin('val', len(dataset), ('square',), 0)
    images = object_images(Network(value), DataLoader(dataset), divisor=16)
    for image in images:
        probe.see(image)
    return probe.end()


@pytest.mark.parametrize('scale', [1, 2])
def test_a_square_is_found_at_every_size(scale):
    """Also where the image was resized and the boxes were not."""
    probe = TokenCutProbe(facet='map')
    assert see(probe, Images(scale=scale)) == {
        'token_cut/corloc': 100.0,
        'token_cut/images': 2.0,
    }
    assert probe.boxes['0.png'].tolist() == [16, 8, 32, 24]


def test_images_are_padded_and_boxes_scaled():
    first, second = object_images(Network(), DataLoader(Images(scale=2)), divisor=16)
    assert (first.size, first.padded, first.grid) == ((48, 64), (48, 64), (6, 8))
    assert (second.size, second.padded) == ((50, 70), (64, 80))
    assert second.stride == (8, 8)
    assert first.boxes.tolist() == [[16, 8, 32, 24]]
    assert first.labels.tolist() == [0]


@pytest.mark.parametrize(('rounded', 'corloc'), [(True, 100), (False, 0)])
def test_true_boxes_are_rounded_as_lost_does(rounded, corloc):
    """8 of 16 pixels are one half, 8 of 16.4 less."""
    maps = torch.tensor([[[2.0, 0.1, 0.1, 0.1]], [[0.0, 1.0, 1.0, 1.0]]])
    box = np.array([[0, 0, 16.4, 8.0]])
    image = ObjectImage('x', (maps,), None, (8, 32), (8, 32), box, np.zeros(1, int))
    probe = TokenCutProbe(facet='map', round_boxes=rounded)
    probe.begin('val', 1, (), 0)
    probe.see(image)
    assert probe.boxes['x'].tolist() == [0, 0, 8, 8]
    assert probe.end()['token_cut/corloc'] == corloc


def test_bad_input():
    with pytest.raises(DataError, match='no box in 2 images'):
        see(LostProbe(facet='map'), Images(crowd=True))
    with pytest.raises(DataError, match=r'0.png: features hold NaN or infinity'):
        see(LostProbe(facet='map'), Images(), float('nan'))
    with pytest.raises(DataError, match="no keys; use its maps: facet='map'"):
        list(object_images(Network(), DataLoader(Images()), with_keys=True))
    with pytest.raises(OptionError, match='k_patches must be at least 1'):
        LostProbe(k_patches=0)
    with pytest.raises(OptionError, match='tau must be in'):
        TokenCutProbe(tau=1)
    with pytest.raises(OptionError, match='facet is one of'):
        LostProbe(facet='query')
