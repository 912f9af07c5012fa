# Probes of the 128 pooled features of a frozen ResNet-18 with 16 base channels.
_base_ = ['./probe_runtime.py', './models/resnet18-w16_features.py']

# mmengine wants these beside the test_dataloader of the data files.
test_cfg = dict()
test_evaluator = dict(type='Evaluator', metrics=[])
