byol, simsiam = '_base_/byol_cifar10.py', '_base_/simsiam_cifar10.py'
neck, head, lr = 'model.algorithm.neck.', 'model.algorithm.head.', 'optim_wrapper.optimizer.lr'
no = dict(type='msbreg_mm.NoNorm')
no_bn = {neck + 'norm_cfg': no, head + 'predictor.norm_cfg': no}
singular = {'model.terms.singular_value': dict(type='msbreg_mm.SingularValueLoss', loss_weight=0.01)}
brownian = {'model.terms.brownian': dict(type='msbreg_mm.BrownianDiffusiveLoss', loss_weight=0.1)}
ablation = dict(
    description='What BYOL and SimSiam need against collapse, with and without the regularisers.',
    grid={
        'condition': {
            'BYOL': {'base': byol},
            'BYOL, no predictor': {'base': byol, head + 'predictor': None},
            'BYOL, no BN in the heads': {'base': byol, **no_bn},
            'BYOL, momentum 0': {'base': '_base_/byol-no-ema_cifar10.py'},
            'BYOL, batch 16': {'base': byol, 'train_dataloader.batch_size': 16, lr: 7.5e-4},
            'SimSiam': {'base': simsiam},
            'SimSiam, no predictor': {'base': simsiam, head + 'predictor': None},
            'SimSiam, no stop-gradient': {'base': simsiam, head + 'stop_gradient': False},
            'SimSiam, no BN in the heads': {'base': simsiam, **no_bn},
        },
        'regulariser': {'none': {}, 'singular value': singular, 'Brownian': brownian, 'both': {**singular, **brownian}},
    },
    reference='none', tasks=['_base_/probe_cifar10_32px.py'],
)
