_base_ = ['./linear-swav_r50_100e_in1k.py']

optim_wrapper = dict(optimizer=dict(lr=0.02))

transfer = dict(
    protocol='ImageNet linear R50, VICReg recipe',
    description='frozen; SGD, lr 0.02, weight decay 1e-6, batch 256, cosine, 100 epochs',
)
