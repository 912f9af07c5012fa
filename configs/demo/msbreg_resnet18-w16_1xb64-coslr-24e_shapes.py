# MSBReg on the generated shapes (tools/prepare_data.py shapes).
_base_ = [
    '../_base_/models/msbreg_resnet18-w16.py',
    '../_base_/datasets/in_memory_multiview.py',
    '../_base_/schedules/adamw_coslr_24e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(data_prefix='unlabelled'))
