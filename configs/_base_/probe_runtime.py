# Probes of frozen features (msbreg_mm.ProbeLoop): everything but model, data and the
# list of probes.
_base_ = ['./default_runtime.py']

train_cfg = dict(type='msbreg_mm.ProbeLoop', max_epochs=1)
# mmengine wants an optimizer beside a training loop. It takes no step; of the wrapper
# the precision of the forward pass is used (--amp).
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.0))
val_cfg = dict()
# The probes score; mmengine wants an evaluator beside a validation set.
val_evaluator = dict(type='Evaluator', metrics=[])

default_hooks = dict(checkpoint=None)  # nothing is trained
sync_bn = None  # nothing is normalised by batch
# The other ranks wait, for hours if need be, while the first one fits the probes.
env_cfg = dict(dist_cfg=dict(timeout=86400))
