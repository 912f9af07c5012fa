# Whether what brownian_weight.py finds lasts four times as long.
_base_ = ['brownian_weight.py']
ablation = dict(
    description='Weight of the Brownian loss over 20 epochs.',
    grid={'model.head.terms.brownian.loss_weight': [0.1, 3.0, 10.0]},
    variants=dict(_delete_=True),
    changes={'epochs': 20},
)
