# BYOL's loss over all six pairs of four views, each embedded once.
_base_ = ['./byol-reg_resnet18-w16_1xb64-coslr-10e_cifar10.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.train_dataloader.dataset.pipeline))
train_dataloader['dataset']['pipeline'][0]['views'][0]['num_views'] = 4
model = dict(all_pairs=True)
