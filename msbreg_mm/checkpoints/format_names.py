"""The formats that are written; a module without torch, for the command line."""

from typing import Literal, get_args

Format = Literal['mm', 'torchvision', 'timm', 'detectron2', 'safetensors']
FORMATS: tuple[str, ...] = get_args(Format)
