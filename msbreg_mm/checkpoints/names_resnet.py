"""How other projects name a ResNet's parameters, as rules to and from ours."""

_STAGES = range(1, 5)


def _per_stage(rules: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Fill {mm} with 1…4, {d2} with 2…5 and {hf} with 0…3."""
    return tuple(
        (
            old.format(mm=stage, d2=stage + 1, hf=stage - 1),
            new.format(mm=stage, d2=stage + 1, hf=stage - 1),
        )
        for stage in _STAGES
        for old, new in rules
    )


DETECTRON2_TO_MM = (
    (r'stem\.conv1\.norm\.', 'bn1.'),
    (r'stem\.conv1\.', 'conv1.'),
    *_per_stage(
        (
            (r'res{d2}\.(\d+)\.shortcut\.norm\.', r'layer{mm}.\1.downsample.1.'),
            (r'res{d2}\.(\d+)\.shortcut\.', r'layer{mm}.\1.downsample.0.'),
            (r'res{d2}\.(\d+)\.conv(\d)\.norm\.', r'layer{mm}.\1.bn\2.'),
            (r'res{d2}\.', r'layer{mm}.'),
        )
    ),
)
MM_TO_DETECTRON2 = (
    (r'bn1\.', 'stem.conv1.norm.'),
    (r'conv1\.', 'stem.conv1.'),
    *_per_stage(
        (
            (r'layer{mm}\.(\d+)\.downsample\.1\.', r'res{d2}.\1.shortcut.norm.'),
            (r'layer{mm}\.(\d+)\.downsample\.0\.', r'res{d2}.\1.shortcut.'),
            (r'layer{mm}\.(\d+)\.bn(\d)\.', r'res{d2}.\1.conv\2.norm.'),
            (r'layer{mm}\.', r'res{d2}.'),
        )
    ),
)
# nn.Sequential(*list(resnet.children())[:-1]), as in lightly's examples
SEQUENTIAL_TO_MM = (
    (r'0\.', 'conv1.'),
    (r'1\.', 'bn1.'),
    *((rf'{stage + 3}\.', f'layer{stage}.') for stage in _STAGES),
)
# transformers' ResNetModel
HF_TO_MM = (
    (r'embedder\.embedder\.convolution\.', 'conv1.'),
    (r'embedder\.embedder\.normalization\.', 'bn1.'),
    *_per_stage(
        tuple(
            (
                rf'encoder\.stages\.{{hf}}\.layers\.(\d+)\.{old}',
                rf'layer{{mm}}.\1.{new}',
            )
            for old, new in (
                (r'shortcut\.convolution\.', 'downsample.0.'),
                (r'shortcut\.normalization\.', 'downsample.1.'),
                (r'layer\.0\.convolution\.', 'conv1.'),
                (r'layer\.0\.normalization\.', 'bn1.'),
                (r'layer\.1\.convolution\.', 'conv2.'),
                (r'layer\.1\.normalization\.', 'bn2.'),
                (r'layer\.2\.convolution\.', 'conv3.'),
                (r'layer\.2\.normalization\.', 'bn3.'),
            )
        )
    ),
)
