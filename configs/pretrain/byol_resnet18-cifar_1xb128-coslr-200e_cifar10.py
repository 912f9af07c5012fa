# lightly's CIFAR-10 protocol (ResNet-18, 200 epochs, batch 128); tools/benchmarks/cifar10.py
# runs it beside lightly.
_base_ = [
    '../_base_/models/byol_resnet18-cifar.py',
    '../_base_/datasets/cifar10_lightly.py',
    '../_base_/schedules/sgd_coslr_200e_cifar.py',
    '../_base_/default_runtime.py',
]
