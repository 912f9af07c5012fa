"""Random changes of VOC's XML files and of segmentation masks, and what readers say."""

import contextlib
import io
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from fake_seg_data import write_voc_seg
from hypothesis import strategies as st
from PIL import Image

from msbreg_mm.datasets.check import check_dataset
from msbreg_mm.utils.upstream import import_scope

XML = """<annotation><filename>{0}.jpg</filename>
<size><width>64</width><height>48</height><depth>3</depth></size>
<object><name>a</name><difficult>0</difficult><bndbox><xmin>5</xmin><ymin>6</ymin>
<xmax>30</xmax><ymax>31</ymax></bndbox></object>
<object><name>b</name><difficult>1</difficult><bndbox><xmin>20</xmin><ymin>2</ymin>
<xmax>60</xmax><ymax>40</ymax></bndbox></object></annotation>
"""
_PLACES = [
    'filename', 'size', 'size/width', 'size/height', 'object', 'object/name',
    'object/difficult', 'object/bndbox', 'object/bndbox/xmin', 'object/bndbox/ymax',
]  # fmt: skip
_TEXTS = [
    '', ' ', '0', '1', '-5', '30', '63', '64', '65', '1e9', '1e400', 'nan', 'inf',
    '7.5', 'a', 'c', 'Unspecified', '٣', '9' * 5000, 'x' * 70000, '&#x1F600;', '..',
    'a b',
]  # fmt: skip
BYTES = st.tuples(
    st.sampled_from(['flip', 'cut', 'fill', 'insert']),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 255),
)
XML_CHANGES = st.one_of(
    BYTES,
    st.tuples(
        st.sampled_from(['set', 'set', 'set', 'drop', 'twice']),
        st.sampled_from(_PLACES),
        st.sampled_from(_TEXTS),
    ),
)
MASK_CHANGES = st.one_of(
    BYTES,
    st.tuples(
        st.sampled_from(['paint', 'crop', 'mode', 'format']),
        st.integers(0, 255),
        st.sampled_from(['L', 'P', 'RGB', 'RGBA', '1', 'I;16', 'LA']),
    ),
)


def write_voc(root: Path) -> Path:
    """One training and one validation image with two objects each."""
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    for split in ('train', 'val'):
        Image.fromarray(pixels).save(root / f'JPEGImages/{split}.jpg')
        (root / f'Annotations/{split}.xml').write_text(XML.format(split))
        (root / f'ImageSets/Main/{split}.txt').write_text(f'{split}\n')
    (root / 'classes.txt').write_text('a\nb\n')
    return root


def change_bytes(path: Path, what: str, where: float, value: int) -> None:
    """Damage a file in one place."""
    data = bytearray(path.read_bytes())
    at = int(where * len(data))
    if what == 'flip':
        data[at] ^= value or 1
    elif what == 'cut':
        del data[at:]
    elif what == 'fill':
        data[at : at + value] = bytes(len(data[at : at + value]))
    else:
        data[at:at] = bytes([value]) * 3
    path.write_bytes(data)


def change_xml(path: Path, what: str, place: Any, value: Any) -> None:
    """Change an element, or the file's bytes."""
    if isinstance(place, float):
        change_bytes(path, what, place, value)
        return
    top = ElementTree.parse(path).getroot()
    owner = top.find(place.rpartition('/')[0]) if '/' in place else top
    item = top.find(place)
    assert owner is not None
    assert item is not None
    if what == 'drop':
        owner.remove(item)
    elif what == 'twice':
        owner.append(item)
    else:
        for child in list(item):
            item.remove(child)
        item.text = value
    ElementTree.ElementTree(top).write(path, encoding='utf-8')


def change_mask(path: Path, what: str, place: Any, value: Any) -> None:
    """Change a mask's pixels, size, mode or format, or the file's bytes."""
    if isinstance(place, float):
        change_bytes(path, what, place, value)
        return
    mask = np.array(Image.open(path))
    if what == 'paint':
        mask[3:9, 3:9] = place
    elif what == 'crop':
        mask = mask[: 1 + place % mask.shape[0]]
    image = Image.fromarray(mask)
    if what == 'mode':
        image = image.convert('L').convert(value)
    image.save(path, format='BMP' if what == 'format' else 'PNG')


def voc_verdicts(base: Path, root: Path, change: tuple) -> tuple[set[str], str]:
    """What the check and what both readers of boxes say of a changed XML file."""
    shutil.copytree(base, root)
    try:
        change_xml(root / 'Annotations/train.xml', *change)
        found = check_dataset(root, 'voc', progress=False).kinds('error', 'warning')
        return found, _harmed_voc(root)
    finally:
        shutil.rmtree(root)


def _harmed_voc(root: Path) -> str:
    from mmdet.datasets import XMLDataset

    from msbreg_mm.datasets.voc_detection import VOCDetectionDataset

    settings: dict[str, Any] = {
        'data_root': str(root), 'ann_file': 'ImageSets/Main/train.txt',
        'data_prefix': {'sub_data_root': ''}, 'metainfo': {'classes': ('a', 'b')},
        'pipeline': [], 'serialize_data': False,
    }  # fmt: skip
    for kind in (XMLDataset, VOCDetectionDataset):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                (info,) = kind(**settings).data_list
        except Exception as error:
            return f'{kind.__name__}: {type(error).__name__}: {error}'[:200]
        tree = ElementTree.parse(root / 'Annotations/train.xml')
        listed = len(tree.getroot().findall('object'))
        if len(info['instances']) != listed:
            return f'{kind.__name__}: {len(info["instances"])} of {listed} objects'
        boxes = np.array([item['bbox'] for item in info['instances']], float)
        boxes = boxes.reshape(-1, 4)
        if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
            return f'{kind.__name__}: {boxes.tolist()}'
    return ''


def mask_verdicts(base: Path, root: Path, change: tuple) -> tuple[set[str], str]:
    """What the check and mmseg's reader say of a changed mask."""
    shutil.copytree(base, root)
    path = root / 'SegmentationClass/train_0.png'
    try:
        change_mask(path, *change)
        found = check_dataset(root, 'seg', progress=False).kinds('error', 'warning')
        return found, _harmed_mask(path)
    finally:
        shutil.rmtree(root)


def _harmed_mask(path: Path) -> str:
    import_scope('mmseg')
    from mmseg.datasets.transforms import LoadAnnotations

    results = {'seg_map_path': str(path), 'reduce_zero_label': False, 'seg_fields': []}
    try:
        read = LoadAnnotations()(results)['gt_seg_map']
    except Exception as error:
        return f'{type(error).__name__}: {error}'[:200]
    if read.shape != (72, 96):
        return f'shape {read.shape}'
    wrong = set(np.unique(read).tolist()) - {*range(21), 255}
    return f'indices {sorted(wrong)[:5]}' if wrong else ''


def write_masks(root: Path) -> Path:
    """The set whose masks are changed."""
    return write_voc_seg(root)
