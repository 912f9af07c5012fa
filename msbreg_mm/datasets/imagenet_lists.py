"""ImageNet's published lists of labelled images."""

from pathlib import Path

from msbreg_mm.datasets.writing import write_text
from msbreg_mm.utils.errors import DataError, MissingInputError

# Missing files and unknown classes that an error message names.
_SHOWN = 3


def convert_imagenet_list(
    listing: str | Path, root: str | Path, output: str | Path | None = None
) -> tuple[Path, int]:
    """Turn a list of bare file names into lines ``folder/file label``.

    SimCLR's lists of 1 % and 10 % of ImageNet (``1percent.txt``, ``10percent.txt``),
    which SwAV, Barlow Twins and VICReg use too, hold lines such as
    ``n01440764_10183.JPEG``: the class is what stands before the underscore. Labels
    number the class folders of ``train`` in alphabetical order, as mmpretrain's
    ``ImageNet`` and torchvision's ``ImageFolder`` do.

    Args:
        listing: Published list; blank lines are skipped.
        root: ImageNet with ``train/<class>/<file>``.
        output: File to write; by default ``meta/train_<name of the list>`` in
            ``root``, which the configs of semi-supervised fine-tuning expect.

    Returns:
        The file written and its number of images.

    Raises:
        MissingInputError: If the list or ``train`` is not there, or images of the
            list are missing.
        DataError: If the list is empty, names a file twice, or a line is no such
            file name.
    """
    listing, root = Path(listing), Path(root)
    train = root / 'train'
    if not listing.is_file():
        raise MissingInputError(f'no list {listing}')
    if not train.is_dir():
        raise MissingInputError(f'no folder {train}; root must hold train/<class>/')
    folders = sorted(folder.name for folder in train.iterdir() if folder.is_dir())
    labels = {name: label for label, name in enumerate(folders)}
    lines, missing = {}, []
    for number, line in enumerate(listing.read_text().splitlines(), start=1):
        if not (name := line.strip()):
            continue
        folder, underscore, _ = name.partition('_')
        if not underscore or folder not in labels:
            raise DataError(
                f'{listing}:{number}: {name!r} is not <class>_<number>.JPEG with one '
                f'of the {len(folders)} class folders of {train}'
            )
        if name in lines:
            raise DataError(f'{listing}:{number}: {name!r} stands there twice')
        lines[name] = f'{folder}/{name} {labels[folder]}'
        if not (train / folder / name).is_file():
            missing.append(name)
    if missing:
        some = ', '.join(missing[:_SHOWN]) + (', …' if missing[_SHOWN:] else '')
        raise MissingInputError(
            f'{len(missing)} of {len(lines)} images of {listing} are not below '
            f'{train}: {some}'
        )
    if not lines:
        raise DataError(f'{listing} lists no images')
    path = root / 'meta' / f'train_{listing.name}' if output is None else Path(output)
    write_text(path, '\n'.join(lines.values()) + '\n')
    return path, len(lines)
