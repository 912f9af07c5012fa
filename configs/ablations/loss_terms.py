terms = 'model.head.terms.'
ablation = dict(
    description='Every subset of the three loss terms that has a loss.',
    base='_base_/msbreg_cifar10.py',
    variants={
        'centroid + singular value + Brownian': {},
        'centroid + singular value': {terms + 'brownian': None},
        'centroid + Brownian': {terms + 'singular_value': None},
        'singular value + Brownian': {terms + 'centroid': None},
        'centroid': {terms + 'singular_value': None, terms + 'brownian': None},
        'singular value': {terms + 'centroid': None, terms + 'brownian': None},
        'Brownian': {terms + 'centroid': None, terms + 'singular_value': None},
        'random init': None,
    },
    reference='centroid + singular value + Brownian',
    tasks=['_base_/probe_cifar10_32px.py'],
)
