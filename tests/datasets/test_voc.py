import pytest

from msbreg_mm.datasets.voc import (
    VOC_CLASSES,
    find_voc_image,
    read_voc_annotation,
    read_voc_classes,
    read_voc_list,
)

XML = """<annotation><filename>a.jpg</filename>
<size><width>20</width><height>10</height><depth>3</depth></size>
<object><name> dog </name><difficult>1</difficult>
<bndbox><xmax>7</xmax><xmin>3</xmin><ymin>2</ymin><ymax>2.0</ymax></bndbox></object>
<object><name>cat</name>
<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>10</ymax></bndbox></object>
</annotation>"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_reads_objects_in_file_order(tmp_path):
    annotation = read_voc_annotation(write(tmp_path / 'a.xml', XML))
    assert (annotation.filename, annotation.width, annotation.height) == (
        'a.jpg',
        20,
        10,
    )
    dog, cat = annotation.objects
    assert (dog.name, dog.box, dog.difficult) == ('dog', (3, 2, 7, 2), True)
    # Pixels 3 to 7 counted from 1 are 5 pixels from 2 counted from 0.
    assert dog.xywh == [2, 1, 5, 1]
    assert not cat.difficult
    assert cat.xywh == [0, 0, 20, 10]


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('<annotation>', '<annotation', r'a\.xml is no readable XML'),
        ('<width>20</width>', '', r'a\.xml: <size/width> in <annotation>.*None'),
        ('<xmin>3</xmin>', '<xmin>x</xmin>', r"<bndbox/xmin> in <object>.*'x'"),
        ('<name>cat</name>', '', r'a\.xml: an <object> has no <name>'),
    ],
)
def test_damaged_xml_is_named(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        read_voc_annotation(write(tmp_path / 'a.xml', XML.replace(old, new)))


def test_list_takes_the_first_column(tmp_path):
    path = write(tmp_path / 'train.txt', '2007_000032\n\n2007_000039  -1\n')
    assert read_voc_list(path) == ['2007_000032', '2007_000039']
    with pytest.raises(FileNotFoundError, match=r'val\.txt.*has train'):
        read_voc_list(tmp_path / 'val.txt')


def test_images_of_any_suffix_and_classes(tmp_path):
    assert read_voc_classes(tmp_path) is None
    write(tmp_path / 'classes.txt', 'b c\na\n\n')
    assert read_voc_classes(tmp_path) == ('b c', 'a')
    write(tmp_path / 'JPEGImages' / 'one.png', '')
    assert find_voc_image(tmp_path, 'one').name == 'one.png'
    assert find_voc_image(tmp_path, 'two') is None


def test_voc_has_twenty_sorted_classes():
    assert len(VOC_CLASSES) == 20
    assert list(VOC_CLASSES) == sorted(VOC_CLASSES)
    mmdet = pytest.importorskip('mmdet.datasets')
    assert mmdet.VOCDataset.METAINFO['classes'] == VOC_CLASSES
