"""Boxes and objects as detectron2 reads them."""

import pytest
from fake_data import BOXES, write_voc

from msbreg_mm.datasets.voc_detection import VOCDetectionDataset


@pytest.fixture
def root(tmp_path):
    """Two images of two objects; in the first the second object is difficult."""
    write_voc(tmp_path / 'VOC2007', {'trainval': 2})
    path = tmp_path / 'VOC2007/Annotations/000000.xml'
    text = path.read_text()
    first, rest = text.split('</object>', 1)
    rest = rest.replace('<difficult>0', '<difficult>1')
    path.write_text(f'{first}</object>{rest}')
    return tmp_path


def instances(root, **options):
    dataset = VOCDetectionDataset(
        data_root=str(root),
        ann_file='VOC2007/ImageSets/Main/trainval.txt',
        data_prefix={'sub_data_root': 'VOC2007/'},
        pipeline=[],
        **options,
    )
    return [dataset.get_data_info(i)['instances'] for i in range(len(dataset))]


def test_boxes_hold_edges(root):
    # write_voc counts the first pixel from 1 and names the last one, as VOC does.
    for image in instances(root):
        assert [item['bbox'] for item in image] == [list(map(float, b)) for b in BOXES]


def test_difficult_objects_are_trained_on_and_not_scored(root):
    flags = [[item['ignore_flag'] for item in image] for image in instances(root)]
    assert flags == [[0, 0], [0, 0]]
    scored = instances(root, test_mode=True)
    flags = [[item['ignore_flag'] for item in image] for image in scored]
    assert flags == [[0, 1], [0, 0]]


def test_fractions_and_other_classes(root):
    path = root / 'VOC2007/Annotations/000001.xml'
    text = path.read_text().replace('<xmin>9<', '<xmin>9.5<', 1)
    names = [item['bbox_label'] for item in instances(root)[1]]
    cut = text.rsplit('<name>', 1)
    path.write_text(cut[0] + '<name>unicorn</name>' + cut[1].split('</name>', 1)[1])
    (left,) = instances(root)[1]
    assert left['bbox'][0] == 8.5
    assert left['bbox_label'] == names[0]


def test_broken_box_is_named(root):
    path = root / 'VOC2007/Annotations/000001.xml'
    path.write_text(path.read_text().replace('<xmin>9<', '<xmin>nine<', 1))
    with pytest.raises(
        ValueError, match=r"000001\.xml: <xmin> .* a number, got 'nine'"
    ):
        instances(root)
