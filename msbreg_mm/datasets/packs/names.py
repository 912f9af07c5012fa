"""The classes of the packs, and which images of the archives are in them.

The selections were drawn once; ``selections.npz`` holds them as (label, number) in the
order of the packs, so that a pack made anywhere has the same images and rows.
"""

from functools import cache
from pathlib import Path

import numpy as np

SPLITS = ('train', 'val')
CLASSES = {
    'cifar10': (
        'airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship',
        'truck',
    ),
    # Without the background and the two classes of faces.
    'caltech101': (
        'Leopards', 'Motorbikes', 'accordion', 'airplanes', 'anchor', 'ant', 'barrel',
        'bass', 'beaver', 'binocular', 'bonsai', 'brain', 'brontosaurus', 'buddha',
        'butterfly', 'camera', 'cannon', 'car_side', 'ceiling_fan', 'cellphone',
        'chair', 'chandelier', 'cougar_body', 'cougar_face', 'crab', 'crayfish',
        'crocodile', 'crocodile_head', 'cup', 'dalmatian', 'dollar_bill', 'dolphin',
        'dragonfly', 'electric_guitar', 'elephant', 'emu', 'euphonium', 'ewer',
        'ferry', 'flamingo', 'flamingo_head', 'garfield', 'gerenuk', 'gramophone',
        'grand_piano', 'hawksbill', 'headphone', 'hedgehog', 'helicopter', 'ibis',
        'inline_skate', 'joshua_tree', 'kangaroo', 'ketch', 'lamp', 'laptop', 'llama',
        'lobster', 'lotus', 'mandolin', 'mayfly', 'menorah', 'metronome', 'minaret',
        'nautilus', 'octopus', 'okapi', 'pagoda', 'panda', 'pigeon', 'pizza',
        'platypus', 'pyramid', 'revolver', 'rhino', 'rooster', 'saxophone', 'schooner',
        'scissors', 'scorpion', 'sea_horse', 'snoopy', 'soccer_ball', 'stapler',
        'starfish', 'stegosaurus', 'stop_sign', 'strawberry', 'sunflower', 'tick',
        'trilobite', 'umbrella', 'watch', 'water_lilly', 'wheelchair', 'wild_cat',
        'windsor_chair', 'wrench', 'yin_yang',
    ),
    # Image 1 to 80 is the first, 81 to 160 the second …
    'flowers17': (
        'daffodil', 'snowdrop', 'lily_of_the_valley', 'bluebell', 'crocus', 'iris',
        'tigerlily', 'tulip', 'fritillary', 'sunflower', 'daisy', 'coltsfoot',
        'dandelion', 'cowslip', 'buttercup', 'windflower', 'pansy',
    ),
}  # fmt: skip


@cache
def selection(pack: str, split: str) -> np.ndarray:
    """Read which images a split holds: (N, 2), label and number in the archive."""
    with np.load(Path(__file__).with_name('selections.npz')) as found:
        return found[f'{pack}_{split}'].astype(np.int64)
