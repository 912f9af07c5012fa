# Before each validation and at the end, BN statistics from 200 batches
# (detectron2's TEST.PRECISE_BN); the frozen ones stay as they are.
custom_hooks = [dict(type='msbreg_mm.PreciseBNHook', num_iters=200)]
