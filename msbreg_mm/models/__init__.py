"""Models: losses, heads, necks and self-supervised algorithms."""

from msbreg_mm.utils.upstream import import_scope

import_scope('mmpretrain')

from msbreg_mm.models import heads, losses, necks, selfsup  # noqa: E402, F401
