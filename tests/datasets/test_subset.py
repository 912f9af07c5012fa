import hashlib
import itertools
import json

import pytest

from msbreg_mm.datasets.subset import subset_order, write_subsets


@pytest.fixture
def annotation_file(tmp_path):
    content = {
        'info': {'year': 2017},
        'categories': [{'id': 3, 'name': 'x'}, {'id': 7, 'name': 'y'}],
        'images': [{'id': 1000 - i, 'file_name': f'{i}.jpg'} for i in range(200)],
        'annotations': [
            {'id': i, 'image_id': 1000 - i // 2, 'category_id': 3} for i in range(300)
        ],
    }
    path = tmp_path / 'instances_train2017.json'
    path.write_text(json.dumps(content))
    return path


def read(path):
    content = json.loads(path.read_text())
    return content, [image['id'] for image in content['images']]


def test_sizes_names_and_nesting(annotation_file, tmp_path):
    paths = write_subsets(annotation_file, tmp_path / 'out', num_folds=2)
    assert [path.name for path in paths] == [
        f'instances_train2017_{percent}pct_fold{fold}.json'
        for fold in range(2)
        for percent in (1, 2, 5, 10)
    ]
    ids = [set(read(path)[1]) for path in paths]
    assert [len(one) for one in ids] == [2, 4, 10, 20] * 2
    for fold in (ids[:4], ids[4:]):
        for small, large in itertools.pairwise(fold):
            assert small < large
    assert ids[3] != ids[7]


def test_annotations_follow_and_the_rest_stays(annotation_file, tmp_path):
    source, source_ids = read(annotation_file)
    (path,) = write_subsets(annotation_file, tmp_path, percents=[7.5], num_folds=1)
    assert path.name == 'instances_train2017_7.5pct_fold0.json'
    content, ids = read(path)
    assert ids == [number for number in source_ids if number in set(ids)]
    assert content['annotations'] == [
        note for note in source['annotations'] if note['image_id'] in ids
    ]
    assert content['categories'] == source['categories']
    assert content['info'] == source['info']


def test_order_is_the_published_rule_and_ignores_the_file_order():
    ids = [9, 139, 285, 632, 724]

    def key(image_id):
        return hashlib.sha256(b'4/1/%d' % image_id).hexdigest()

    assert subset_order(ids, seed=4, fold=1) == sorted(ids, key=key)
    assert subset_order(ids[::-1], 4, 1) == subset_order(ids, 4, 1)
    # Fixed for good: a list drawn today must be the same in another version.
    assert subset_order(ids, seed=0, fold=0) == [285, 139, 632, 724, 9]


def test_folds_are_independent_draws():
    ids = range(2000)
    first, second = (set(subset_order(ids, 0, fold)[:200]) for fold in (0, 1))
    assert 5 < len(first & second) < 40


def test_everything_and_at_least_one(annotation_file, tmp_path):
    full, least = write_subsets(
        annotation_file, tmp_path, percents=[100, 0.01], num_folds=1
    )
    assert read(full) == read(annotation_file)
    assert len(read(least)[1]) == 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'percents': [0]}, r'percents must be in \(0, 100\], got 0'),
        ({'percents': [101]}, 'got 101'),
        ({'num_folds': 0}, 'num_folds must be at least 1, got 0'),
    ],
)
def test_numbers_out_of_range(annotation_file, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        write_subsets(annotation_file, tmp_path / 'out', **options)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"images": [', 'is no readable JSON'),
        ('[]', 'has no "images"'),
        ('{"images": []}', 'has no "images"'),
    ],
)
def test_bad_files_are_named(tmp_path, text, message):
    path = tmp_path / 'bad.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=rf'bad\.json.*{message}'):
        write_subsets(path, tmp_path / 'out')


def test_real_annotations(shared_data, tmp_path):
    source = shared_data / 'coco_free/annotations_coco/instances_train.json'
    paths = write_subsets(source, tmp_path, num_folds=1)
    assert [len(read(path)[1]) for path in paths] == [1, 2, 4, 9]
