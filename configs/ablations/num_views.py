views = 'train_dataloader.dataset.pipeline.0.views.0.num_views'
ablation = dict(
    description='Views per image at an equal number of views: 24 x 4,000.',
    base='_base_/msbreg_cifar10.py',
    grid={
        'views per image': {
            1: {views: 1, 'epochs': 24},
            2: {views: 2, 'epochs': 12},
            4: {views: 4, 'epochs': 6},
            8: {views: 8, 'epochs': 3},
        },
    },
    variants={'random init': None},
    reference='views per image=4',
    tasks=['_base_/probe_cifar10_32px.py'],
)
