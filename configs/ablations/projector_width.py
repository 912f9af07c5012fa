ablation = dict(
    description='Hidden width of the projector.',
    base='_base_/msbreg_cifar10.py',
    grid={'model.neck.hid_channels': [128, 256, 512, 1024, 2048]},
    variants={'random init': None},
    reference='neck.hid_channels=512',
    tasks=['_base_/probe_cifar10_32px.py'],
)
