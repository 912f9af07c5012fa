"""Versions and devices for result records, without importing torch."""

import os
import platform
import subprocess
from importlib import metadata

# Imported name → distributions that provide it.
_PACKAGES = {
    'msbreg_mm': ('msbreg_mm',),
    'torch': ('torch',),
    'torchvision': ('torchvision',),
    'mmengine': ('onedl-mmengine', 'mmengine'),
    'mmcv': ('onedl-mmcv', 'mmcv'),
    'mmdet': ('onedl-mmdetection', 'mmdet'),
    'mmpretrain': ('onedl-mmpretrain', 'mmpretrain'),
    'mmseg': ('onedl-mmsegmentation', 'mmsegmentation'),
}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that are installed."""
    found = {'python': platform.python_version()}
    for name, distributions in _PACKAGES.items():
        for distribution in distributions:
            try:
                found[name] = metadata.version(distribution)
                break
            except metadata.PackageNotFoundError:
                continue
    return found


def device_name() -> str:
    """Name the GPUs that this process may use, or else the processor."""
    if os.environ.get('CUDA_VISIBLE_DEVICES', 'all') and (gpus := _gpu_names()):
        kinds = sorted(set(gpus))
        return ', '.join(f'{gpus.count(kind)} × {kind}' for kind in kinds)
    return f'CPU, {_processor()}, {os.cpu_count()} cores'


def _gpu_names() -> list[str]:
    command = ['nvidia-smi', '--query-gpu=name', '--format=csv,noheader']
    if ids := os.environ.get('CUDA_VISIBLE_DEVICES'):
        command.append(f'--id={ids}')
    try:
        output = subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in output.stdout.splitlines() if line.strip()]


def _processor() -> str:
    try:
        with open('/proc/cpuinfo', encoding='utf-8') as stream:
            for line in stream:
                if line.startswith('model name'):
                    return line.partition(':')[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
