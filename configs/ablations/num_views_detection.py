# num_views.py with AP; in the folder of its runs they are used again.
_base_ = ['num_views.py']
ablation = dict(
    description='Views per image at an equal number of views, by kNN and by AP on nuclei.',
    tasks=['_base_/probe_cifar10_32px.py', 'mask-rcnn_r18-w16-fpn_20e_nuclei'],
)
