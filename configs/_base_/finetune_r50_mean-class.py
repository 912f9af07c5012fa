# The same, scored by the mean accuracy per class.
_base_ = ['./finetune_r50.py']

transfer = dict(metrics=[('single-label/recall', 'mean per class', 1)])
