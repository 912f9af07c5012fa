# The one place that names the package: everything else is `msbreg_mm.X`.
custom_imports = dict(imports=['msbreg_mm.engine'], allow_failed_imports=False)

# norm_cfg stays BN, so that the same config runs on one CPU.
sync_bn = 'torch'

# Images of a training set that cannot be read are named, listed in bad_images.jsonl and
# replaced up to here; from max_pixels on an image counts as unreadable.
bad_images = dict(max_count=100, max_fraction=0.01, max_pixels=89_478_485)
