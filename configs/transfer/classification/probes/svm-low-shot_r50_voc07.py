_base_ = ['./svm_r50_voc07.py']

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224), backend='pillow'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
shots = (1, 2, 4, 8, 16, 32, 64, 96)
train_cfg = dict(
    probes=[dict(type='msbreg_mm.SVMProbe', full=False, shots=shots, samples=5)]
)

transfer = dict(
    protocol='VOC07 low-shot SVM, 5 samples (VISSL)',
    description='mean over five samples of k positive images a class',
    metrics=[
        ('svm/mAP_interpolated_k1', 'mAP, k = 1', 1),
        ('svm/mAP_interpolated_k2', 'mAP, k = 2', 1),
        ('svm/mAP_interpolated_k4', 'mAP, k = 4', 1),
        ('svm/mAP_interpolated_k8', 'mAP, k = 8', 1),
        ('svm/mAP_interpolated_k16', 'mAP, k = 16', 1),
        ('svm/mAP_interpolated_k32', 'mAP, k = 32', 1),
        ('svm/mAP_interpolated_k64', 'mAP, k = 64', 1),
        ('svm/mAP_interpolated_k96', 'mAP, k = 96', 1),
    ],
)
