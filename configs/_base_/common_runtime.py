# The one place that names the package: everything else is `msbreg_mm.X`.
custom_imports = dict(imports=['msbreg_mm.engine'], allow_failed_imports=False)

# norm_cfg stays BN, so that the same config runs on one CPU.
sync_bn = 'torch'
