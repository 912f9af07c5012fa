import pytest
from PIL import Image
from rich.console import Console

from msbreg_mm.datasets.check import CheckResult, check_dataset


def check(root, layout='auto'):
    return check_dataset(root, layout, progress=False, max_examples=9)


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (8, 6)).save(path)


@pytest.fixture
def imagenet(tmp_path):
    for split in ('train', 'val'):
        for name in ('n01', 'n02'):
            for index in range(2):
                image(tmp_path / 'set' / split / name / f'{index}.JPEG')
    return tmp_path / 'set'


def test_class_folders(imagenet):
    result = check(imagenet)
    assert result.layouts == ['imagenet']
    assert result.ok
    assert result.splits['train'] == {'images': 4, 'classes': 2}


def test_training_alone_is_enough(imagenet, tmp_path):
    (imagenet / 'val').rename(tmp_path / 'elsewhere')
    assert check(imagenet).ok


def test_lists_of_labels(imagenet):
    (imagenet / 'meta').mkdir()
    (imagenet / 'meta/train.txt').write_text('n01/0.JPEG 0\nn02/1.JPEG 1\n')
    (imagenet / 'val.txt').write_text('n01/0.JPEG 0\nn02/1.JPEG 1\n')
    result = check(imagenet)
    assert result.ok
    assert result.splits['train'] == result.splits['val'] == {'images': 2, 'classes': 2}


@pytest.mark.parametrize(
    ('lines', 'kind', 'example'),
    [
        ('n01/0.JPEG 0\nn02/9.JPEG 1\n', 'missing-image', '9.JPEG'),
        ('n01/0.JPEG 0\nn02/1.JPEG\n', 'malformed-record', 'train.txt line 2'),
        ('n01/0.JPEG 0\nn02/1.JPEG dog\n', 'malformed-record', "'n02/1.JPEG dog'"),
        ('n01/0.JPEG 0\nn02/1.JPEG 7\n', 'category-mismatch', '7 occurs only in train'),
        ('n01/0.JPEG 0\nn01/0.JPEG 0\n', 'duplicate-file-name', '0.JPEG (2 times)'),
        ('\n', 'no-images', 'train'),
    ],
)
def test_faults_of_a_list(imagenet, lines, kind, example):
    (imagenet / 'train.txt').write_text(lines)
    (imagenet / 'val.txt').write_text('n01/0.JPEG 0\nn02/1.JPEG 1\n')
    result = check(imagenet)
    assert kind in result.kinds()
    shown = [text for found in result.findings.values() for text in found.examples]
    assert any(example in text for text in shown), shown


def test_blank_line_is_one_for_mmpretrain_alone(imagenet):
    (imagenet / 'meta').mkdir()
    for name in ('meta/train.txt', 'val.txt'):
        (imagenet / name).write_text('n01/0.JPEG 0\n\nn02/1.JPEG 1\n')
    ((kind, where),) = check(imagenet).findings
    assert (kind, where) == ('malformed-record', 'train')


def test_negative_label(imagenet):
    (imagenet / 'meta').mkdir()
    (imagenet / 'meta/train.txt').write_text('n01/0.JPEG -1\nn02/1.JPEG 1\n')
    assert 'malformed-record' in check(imagenet).kinds()


@pytest.mark.parametrize('suffix', ['.webp', '.gif', '.tiff', '.jp2'])
def test_suffix_that_the_reader_does_not_take(imagenet, suffix):
    image(imagenet / f'train/n01/more{suffix}')
    result = check(imagenet)
    assert result.kinds() == {'dropped-file'}
    for path in list((imagenet / 'train/n02').iterdir()):
        path.rename(path.with_suffix(suffix))
    assert check(imagenet).kinds('error') == {'empty-class'}


@pytest.mark.parametrize('suffix', ['.JPG', '.PnG', '.jpeg', '.ppm', '.tif'])
def test_suffix_that_the_reader_takes(imagenet, suffix):
    Image.new('RGB', (8, 6)).save(imagenet / f'train/n01/more{suffix}')
    assert not check(imagenet).findings


def test_hidden_files_and_folders(imagenet):
    image(imagenet / 'train/n01/.thumb.png')
    (imagenet / 'train/n01/gone.png').symlink_to('nowhere')
    result = check(imagenet)
    assert result.kinds() == {'dropped-file'}
    assert result.splits['train'] == {'images': 4, 'classes': 2}
    # The reader takes a hidden folder for a class.
    image(imagenet / 'train/.thumbs/a.png')
    assert 'category-mismatch' in check(imagenet).kinds()


def test_folder_of_class_folders_reads_deep_ones(imagenet):
    image(imagenet / 'train/n01/deep/er/a.png')
    assert check(imagenet).splits['train']['images'] == 5


def test_faults_of_class_folders(imagenet):
    (imagenet / 'train/n03').mkdir()
    (imagenet / 'val/n02/0.JPEG').write_bytes(b'no image')
    result = check(imagenet)
    assert result.kinds() == {'empty-class', 'category-mismatch', 'unreadable-image'}
    assert 'n03' in result.findings['empty-class', 'train'].examples[0]


def test_flat_validation_folder_needs_a_list(imagenet):
    for path in list((imagenet / 'val').rglob('*.JPEG')):
        path.rename(imagenet / 'val' / f'{path.parent.name}_{path.name}')
    for name in ('n01', 'n02'):
        (imagenet / 'val' / name).rmdir()
    result = check(imagenet)
    found = result.findings['missing-annotation', 'val'].examples[0]
    assert 'neither class folders nor a list meta/val.txt' in found


def test_plain_folder(tmp_path):
    image(tmp_path / 'set/deep/a.png')
    image(tmp_path / 'set/b.jpg')
    (tmp_path / 'set/readme.txt').write_text('')
    result = check(tmp_path / 'set')
    assert result.layouts == ['folder']
    assert result.ok
    assert result.splits == {'images': {'images': 2}}
    (tmp_path / 'set/b.jpg').write_bytes(b'')
    assert check(tmp_path / 'set').kinds() == {'unreadable-image'}


def test_folder_without_images(tmp_path):
    assert check(tmp_path).kinds() == {'no-images'}


def test_generated_set_is_checked_in_all_its_layouts(small_shapes):
    assert check(small_shapes).layouts == ['coco', 'voc', 'seg']


@pytest.mark.parametrize(
    ('layout', 'error', 'message'),
    [
        ('coco', FileNotFoundError, r'no annotations\*/\*\.json in .*--annotations'),
        ('voc', FileNotFoundError, r'no lists ImageSets/Main/\*\.txt'),
        ('imagenet', FileNotFoundError, 'no folder train'),
        ('yolo', ValueError, "layout must be one of auto, coco.*got 'yolo'"),
    ],
)
def test_layout_that_is_not_there(tmp_path, layout, error, message):
    with pytest.raises(error, match=message):
        check(tmp_path, layout)


def test_no_such_folder(tmp_path):
    with pytest.raises(NotADirectoryError, match='nowhere'):
        check(tmp_path / 'nowhere')


def test_real_class_folders(shared_data):
    result = check(shared_data / 'flowers17_80px_a')
    assert result.ok
    assert result.splits['train'] == {'images': 510, 'classes': 17}


def test_tables_show_counts_and_examples():
    result = CheckResult('root', max_examples=2)
    result.splits['val'] = {'images': 5, 'objects': 9}
    for index in range(4):
        result.add('box-outside', 'val', f'object {index}: [1, 2]')
    result.add('no-annotations', 'val', 'a.jpg')
    console = Console(width=120)
    with console.capture() as capture:
        console.print(result.counts_table(), result.findings_table())
    text = capture.get()
    for part in ('objects', '9', 'box-outside', '4', 'object 0: [1, 2]', 'a.jpg'):
        assert part in text
    assert 'object 2' not in text
    assert text.index('box-outside') < text.index('no-annotations')


def test_unknown_kind_is_a_mistake_of_the_programmer():
    with pytest.raises(KeyError, match='tpyo'):
        CheckResult('root').add('tpyo', 'val', '')
