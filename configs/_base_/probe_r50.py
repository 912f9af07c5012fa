# Probes of the 2,048 pooled features of a frozen ResNet-50.
_base_ = ['./probe_runtime.py', './models/resnet50_features.py']

# mmengine wants these beside the test_dataloader of the data files.
test_cfg = dict()
test_evaluator = dict(type='Evaluator', metrics=[])
