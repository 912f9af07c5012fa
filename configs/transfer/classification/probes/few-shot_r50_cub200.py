# Episodes of 5 classes from the test images of all 200: none is used for training here,
# so that there is no split into base and novel classes. This project's choice.
_base_ = ['../../../_base_/datasets/cub200.py', '../../../_base_/probe_r50.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
train_cfg = dict(
    probes=[dict(type='msbreg_mm.FewShotProbe', settings=((5, 1), (5, 5)))]
)

transfer = dict(
    protocol='CUB-200-2011 few-shot R50, 5-way, 600 episodes, 15 queries',
    description='nearest centroid of frozen features, all 200 classes',
    metrics=[('fewshot/5w1s', '1 shot', 1), ('fewshot/5w5s', '5 shots', 1)],
)
