methods = ['byol', 'simsiam', 'barlowtwins', 'simclr', 'mocov2', 'mocov3', 'swav', 'densecl', 'vicreg']
file = '../demo/{}-reg_resnet18-w16_1xb64-coslr-10e_cifar10.py'
monitor = dict(type='msbreg_mm.EmbeddingMonitorHook', module='regularizer.embeddings', interval=10)
singular, brownian = 'model.singular_value', 'model.brownian'
ablation = dict(
    description='The regularisers with the loss of every method.',
    grid={
        'method': {name: {'base': file.format(name)} for name in methods},
        'regulariser': {
            'none': {singular: None, brownian: None},
            'singular value': {brownian: None},
            'Brownian': {singular: None},
            'both': {},
        },
    },
    changes={
        'epochs': 5, 'train_dataloader.num_workers': 0, 'train_dataloader.persistent_workers': False,
        'default_hooks.logger.interval': 10, '+custom_hooks.-': monitor,
    },
    variants={'random init': None},
    reference='none',
    tasks=['probe_r18-w16_cifar10'],
)
