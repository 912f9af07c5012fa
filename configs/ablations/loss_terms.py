head = 'model.head.'
ablation = dict(
    description='Every subset of the three loss terms that has a loss.',
    base='_base_/msbreg_cifar10.py',
    variants={
        'centroid + singular value + Brownian': {},
        'centroid + singular value': {head + 'brownian': None},
        'centroid + Brownian': {head + 'singular_value': None},
        'singular value + Brownian': {head + 'centroid': None},
        'centroid': {head + 'singular_value': None, head + 'brownian': None},
        'singular value': {head + 'centroid': None, head + 'brownian': None},
        'Brownian': {head + 'centroid': None, head + 'singular_value': None},
        'random init': None,
    },
    reference='centroid + singular value + Brownian',
    tasks=['_base_/probe_cifar10_32px.py'],
)
