# The same run, and where ten images go: tools/draw_particles.py WORK_DIR draws them.
_base_ = ['./msbreg_resnet18-w16_1xb64-coslr-10e_cifar10.py']

custom_hooks = [
    *_base_.custom_hooks,
    dict(type='msbreg_mm.TrajectoryHook', interval=10, by_epoch=False),
]
