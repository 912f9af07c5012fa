"""Models: backbones, losses, heads, necks and self-supervised algorithms."""

from msbreg_mm.utils.upstream import import_scope

import_scope('mmpretrain')

# init_cfg of any module opens its checkpoint through it.
from msbreg_mm.checkpoints import guard  # noqa: E402, F401
from msbreg_mm.models import (  # noqa: E402, F401
    backbones,
    heads,
    losses,
    necks,
    selfsup,
)
