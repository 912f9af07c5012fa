# Runtime of training a classifier, by epoch: scores, and checks of classes and labels.
_base_ = ['./default_runtime.py']

custom_imports = dict(
    imports=['msbreg_mm.engine', 'msbreg_mm.evaluation.accuracy_metric']
)

default_hooks = dict(class_check=dict(type='msbreg_mm.ClassCheckHook'))

val_cfg = dict()
test_cfg = dict()
# Recall averaged over classes is the mean accuracy per class.
val_evaluator = [
    dict(type='msbreg_mm.KeptAccuracy', topk=(1, 5)),
    dict(type='SingleLabelMetric', items=['recall']),
]
test_evaluator = val_evaluator
