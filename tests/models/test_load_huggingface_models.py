"""Folders of transformers, made and run in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import msbreg_mm

pytestmark = pytest.mark.slow
_SIZES = ((80, 112), (96, 64))


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written by the Python that has transformers, this one unless told otherwise."""
    python = os.environ.get('MSBREG_HF_PYTHON', sys.executable)
    probe = [python, '-c', 'import transformers']
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip('no transformers; MSBREG_HF_PYTHON names a Python that has it')
    folder = tmp_path_factory.mktemp('huggingface')
    script = Path(__file__).with_name('hf_models.py')
    subprocess.run([python, str(script), str(folder)], check=True)
    return folder


def test_last_hidden_states_are_transformers(folders: Path) -> None:
    names = sorted(path.stem for path in folders.glob('*.expected'))
    assert len(names) == 18
    for name in names:
        model = msbreg_mm.load_backbone_model(folders / name)
        expected = torch.load(folders / f'{name}.expected')
        for size, values in zip(_SIZES, expected, strict=True):
            generator = torch.Generator().manual_seed(1)
            images = torch.randn(2, 3, *size, generator=generator)
            with torch.no_grad():
                found = model.forward_features(images)
            if values.ndim == 4:
                result = found.maps[-1]
            elif found.tokens is None:
                result = found.maps[-1].flatten(2).transpose(1, 2)
            else:
                result = found.tokens
            scale = values.std()
            torch.testing.assert_close(
                result / scale,
                values / scale,
                rtol=0,
                atol=2e-5,
                msg=lambda text, name=name, size=size: f'{name} at {size}: {text}',
            )
