"""A page as headless Chromium shows it."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image


def screenshot(page, folder, width, dark):
    """Grey levels (H, W) of the page; skips without Chromium, fails on its errors."""
    chromium = shutil.which('chromium')
    if chromium is None:
        pytest.skip('no chromium')
    shot = folder / 'page.png'
    command = [
        chromium, '--headless=new', '--no-sandbox', '--disable-gpu',
        f'--user-data-dir={folder / "profile"}', '--enable-logging=stderr', '--v=0',
        f'--window-size={width},1600', f'--screenshot={shot}',
        *(['--blink-settings=preferredColorScheme=0'] if dark else []),
        page.as_uri(),
    ]  # fmt: skip
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=True
    )
    assert 'CONSOLE' not in result.stderr
    return np.asarray(Image.open(shot).convert('L'), float)
