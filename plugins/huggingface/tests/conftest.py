"""Small checkpoints, made once a session."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test that would reach out fails instead


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory):
    """A small LLaMA as `save_pretrained` writes it; not to be written to."""
    from small_models import save_llama

    return save_llama(tmp_path_factory.mktemp("models") / "small-llama")


@pytest.fixture(scope="session")
def mistral_folder(tmp_path_factory):
    """A small Mistral as `save_pretrained` writes it; not to be written to."""
    from small_models import save_mistral

    return save_mistral(tmp_path_factory.mktemp("models") / "small-mistral")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small models are slower on more, and on a busy machine much slower."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
