# The learning rate grows with the square root of the batch, usual with Adam.
batch, lr = 'train_dataloader.batch_size', 'optim_wrapper.optimizer.lr'
ablation = dict(
    description='Images per batch at equal epochs.',
    base='_base_/msbreg_cifar10.py',
    grid={
        'batch size': {
            16: {batch: 16, lr: 7.5e-4},
            32: {batch: 32, lr: 1.06e-3},
            64: {},
            128: {batch: 128, lr: 2.12e-3},
            256: {batch: 256, lr: 3e-3},
        },
    },
    variants={'random init': None},
    reference='batch size=64',
    tasks=['_base_/probe_cifar10_32px.py'],
)
