"""llama-micro-ft, trained for a few steps, keeps the contract of sensecf-bench."""

import os

import pytest
from pydantic import Field
from sensecf_huggingface.generators import MicroTuned

from sensecf_bench.testing import parametrize_with_checks

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the kit's processes are many and their models small


class Quick(MicroTuned):
    """llama-micro-ft, few steps from few people."""

    name = "llama-micro-ft-quick"

    class Options(MicroTuned.Options):
        steps: int = Field(4, ge=1, description="of fine-tuning")
        imagined: int = Field(30, ge=0, description="people to learn from beside the training rows")


@pytest.mark.slow
@parametrize_with_checks([Quick])
def test_conformance(check):
    check()
