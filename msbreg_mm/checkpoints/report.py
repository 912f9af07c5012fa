"""What became of the keys of a checkpoint."""

from dataclasses import asdict, dataclass, field
from typing import Any

from msbreg_mm.checkpoints.reading import Checkpoint, Source

_SHOWN, _LONGEST = 20, 200


@dataclass
class MatchReport:
    """What a checkpoint gave to a model, or to another file.

    Args:
        format: Project that wrote the file.
        arch: Architecture of the file's backbone.
        source: ``'online'`` or ``'target'`` network.
        sha256: Of the file.
        path: Of the file.
        matched: Parameters and buffers taken over, canonical names.
        missing: In the model, not in the file.
        unexpected: In the file's backbone, without a place in the model.
        mismatched: In both, but different: ``'name: file → model'``.
        ignored: Of the file, outside the backbone or of a part that the model
            leaves out by design.
        resized: Position embeddings that the model interpolates.
        partial: Whether something is missing, unexpected or mismatched and was
            allowed to be.
        notes: What a user should know.
        fingerprint: Of the tensors that were loaded, see
            :func:`msbreg_mm.checkpoints.verify_loaded`.
    """

    format: str
    arch: str
    source: Source
    sha256: str
    path: str
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    partial: bool = False
    notes: list[str] = field(default_factory=list)
    fingerprint: str = ''

    @classmethod
    def of(cls, ckpt: Checkpoint) -> 'MatchReport':
        """Start a report with what the checkpoint itself says."""
        return cls(
            format=ckpt.format,
            arch=ckpt.arch,
            source=ckpt.source,
            sha256=ckpt.sha256,
            path=ckpt.path,
            ignored=list(ckpt.ignored),
            notes=list(ckpt.notes),
        )

    @property
    def complete(self) -> bool:
        """Whether every weight of the backbone came from the file."""
        return not (self.missing or self.unexpected or self.mismatched)

    def summary(self) -> str:
        """One short paragraph for people."""
        names = ('missing', 'unexpected', 'mismatched', 'resized', 'ignored')
        counts = [f'{len(self.matched)} tensors matched'] + [
            f'{len(getattr(self, name))} {name}'
            for name in names
            if getattr(self, name)
        ]
        text = (
            f'{"PARTIAL: " if self.partial else ""}{self.arch} from {self.format} '
            f'({self.source} network, sha256 {self.sha256[:12]}): {", ".join(counts)}'
        )
        return '. '.join([text, *self.notes]) + '.'

    def to_dict(self) -> dict[str, Any]:
        """A dict for JSON."""
        return asdict(self)

    def explain(self, arch: str, target: str = 'the model') -> str:
        """Say why the checkpoint does not fit, and what to do.

        Args:
            arch: What the model's backbone is.
            target: What it should fit.

        Returns:
            Several lines: both architectures if they differ, then the keys.
        """
        lines = [f'{self.path} does not fit {target}.']
        if arch != self.arch:
            lines.append(
                f"The checkpoint is {self.arch} ({self.format}), the model's backbone "
                f'is {arch}: use a checkpoint of that architecture or another config.'
            )
        for name in ('missing', 'unexpected', 'mismatched'):
            if keys := getattr(self, name):
                lines.append(f'{name} ({len(keys)}): {shorten(keys)}')
        if self.matched:
            lines.append(
                f'{len(self.matched)} tensors match: allow_partial=True '
                '(--allow-partial) takes these and writes the rest into the report.'
            )
        return '\n'.join(lines)


def shorten(keys: list[str]) -> str:
    """Join the first 20 keys, each cut to 200 letters, and count the others."""
    more = f', … {len(keys) - _SHOWN} more' if len(keys) > _SHOWN else ''
    shown = [key if len(key) <= _LONGEST else key[:_LONGEST] + '…' for key in keys]
    return ', '.join(shown[:_SHOWN]) + more
