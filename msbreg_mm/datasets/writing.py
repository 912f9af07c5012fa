"""Write annotation files whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as JSON; a failure leaves ``path`` as it was."""
    write_text(path, json.dumps(content) + '\n')


def write_text(path: Path, content: str) -> None:
    """Write a text file; a failure leaves ``path`` as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        temporary.write_text(content, encoding='utf-8')
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
