"""Generate, pack, check, convert and subsample data sets."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of ``msbreg data``."""
    commands = parser.add_subparsers(dest='command', required=True)

    shapes = commands.add_parser('shapes', help='generate the embedded data set')
    shapes.add_argument('root', help='folder to make')
    shapes.add_argument('--num-unlabelled', type=int, default=2000)
    shapes.add_argument('--num-train', type=int, default=200)
    shapes.add_argument('--num-val', type=int, default=150)
    shapes.add_argument('--image-size', type=int, default=128, help='pixels')
    shapes.add_argument('--seed', type=int, default=0)
    shapes.add_argument('--force', action='store_true', help='replace an older set')

    pack = commands.add_parser(
        'pack', help='the packs of ablations and demo configs, from official archives'
    )
    pack.add_argument('pack', help='cifar10, caltech101 or flowers17')
    pack.add_argument('source', help='archive or folder, see docs/data.md')
    pack.add_argument('root', help='folder to make, e.g. data/cifar10_24k')

    check = commands.add_parser('check', help='validate a data set')
    check.add_argument('root', help='folder of the data set')
    check.add_argument(
        '--layout',
        default='auto',
        help='coco, voc, seg, imagenet or folder; default: what is found',
    )
    check.add_argument('--annotations', nargs='+', default=[], help='COCO files')
    check.add_argument('--images', help='folder of the COCO images')
    check.add_argument('--max-examples', type=int, default=3)
    check.add_argument(
        '--headers-only',
        dest='decode',
        action='store_false',
        help='fast; does not find truncated images',
    )

    voc = commands.add_parser('voc-instances', help='VOC masks to a COCO file')
    voc.add_argument('root', help='folder with SegmentationObject and Annotations')
    voc.add_argument('split', help='name of the list, such as train')
    voc.add_argument('output', help='JSON file to write')
    voc.add_argument('--classes', nargs='+', help="default: classes.txt or VOC's 20")
    voc.add_argument('--boxes', choices=['xml', 'mask'], default='xml')

    subset = commands.add_parser('subset', help='low-label subsets of a COCO file')
    subset.add_argument('annotation_file')
    subset.add_argument('output_dir')
    subset.add_argument('--percents', type=float, nargs='+', default=[1, 2, 5, 10])
    subset.add_argument('--num-folds', type=int, default=5)
    subset.add_argument('--seed', type=int, default=0)

    listing = commands.add_parser('imagenet-list', help="labels for SimCLR's lists")
    listing.add_argument('listing', help='lines such as n01440764_10183.JPEG')
    listing.add_argument('root', help='ImageNet, with train/<class>/<file>')
    listing.add_argument('--output', help='default: meta/train_<list> in root')


def run(args: argparse.Namespace) -> int:
    """Run one subcommand; ``check`` ends with 1 if the data set has faults."""
    from rich.console import Console

    console = Console()
    options = {k: v for k, v in vars(args).items() if k != 'command'}
    if args.command == 'check':
        from msbreg_mm.datasets.check import check_dataset

        result = check_dataset(**options)
        console.print(result.counts_table())
        console.print(result.findings_table() if result.findings else 'no findings')
        return result.exit_code
    if args.command == 'shapes':
        from msbreg_mm.datasets.shapes import generate_shapes

        console.print(generate_shapes(**options).line(), highlight=False)
    elif args.command == 'pack':
        from msbreg_mm.datasets.packs import make_pack

        counts = make_pack(**options)
        numbers = ', '.join(f'{count:,} {split}' for split, count in counts.items())
        console.print(f'{args.root} is made: {numbers}', highlight=False)
    elif args.command == 'voc-instances':
        from msbreg_mm.datasets.voc_instances import voc_instances

        console.print(voc_instances(**options))
    elif args.command == 'subset':
        from msbreg_mm.datasets.subset import write_subsets

        for path in write_subsets(**options):
            console.print(f'wrote {path}', highlight=False)
    else:
        from msbreg_mm.datasets.imagenet_lists import convert_imagenet_list

        path, count = convert_imagenet_list(**options)
        console.print(f'wrote {path} ({count:,} images)', highlight=False)
    return 0
