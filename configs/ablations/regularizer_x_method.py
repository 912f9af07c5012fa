methods = ['byol', 'simsiam', 'barlowtwins', 'simclr', 'mocov2', 'mocov3', 'swav', 'densecl', 'vicreg']
bases = {name: {'base': f'../demo/{name}-reg_resnet18-w16_1xb64-coslr-10e_cifar10.py'} for name in methods}
view, loader = 'train_dataloader.dataset.pipeline.0.views.', 'train_dataloader.'
monitor = dict(type='msbreg_mm.EmbeddingMonitorHook', module='regularizer.embeddings', interval=10)
ablation = dict(
    description='The regularisers with the loss of every method.',
    grid={
        'method': {**bases, 'swav': {**bases['swav'], view + '1.size': 16}},
        'regulariser': {
            'none': {'model.terms.singular_value': None, 'model.terms.brownian': None},
            'singular value': {'model.terms.brownian': None},
            'Brownian': {'model.terms.singular_value': None},
            'both': {},
        },
    },
    changes={
        'epochs': 5, view + '0.size': 32, loader + 'num_workers': 0, loader + 'persistent_workers': False,
        'default_hooks.logger.interval': 10, '+custom_hooks.-': monitor,
    },
    variants={'random init': None},
    reference='none', tasks=['_base_/probe_cifar10_32px.py'],
)
