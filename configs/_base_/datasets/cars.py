# Stanford Cars: 196 models, 8,144 / 8,041 images.
_base_ = ['./classification_224.py']

data_root = 'data/Stanford_Cars/'
data_files = ['cars_annos.mat|devkit/cars_train_annos.mat', 'car_ims|cars_train']
train_dataloader = dict(
    dataset=dict(type='StanfordCars', data_root=data_root, split='train')
)
val_dataloader = dict(
    dataset=dict(type='StanfordCars', data_root=data_root, split='test')
)
test_dataloader = val_dataloader
