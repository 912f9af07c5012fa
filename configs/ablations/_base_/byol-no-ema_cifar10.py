# BYOL whose target is the online network itself, i.e. a momentum of 0: SimSiam's
# forward pass with BYOL's networks and, by the factor, the scale of its loss.
_base_ = ['./byol_cifar10.py']

algorithm = _base_.model.algorithm
algorithm.pop('base_momentum')
algorithm.update(type='SimSiam')
algorithm['head']['loss'].update(scale_factor=4.0)
model = dict(algorithm=dict(_delete_=True, **algorithm))
