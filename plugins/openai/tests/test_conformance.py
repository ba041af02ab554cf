"""The generators keep the contract of sensecf-bench, asked of a server on this machine.

The kit makes a class with its defaults and calls nothing that needs the network. What is checked here are the same
generators, for which this machine is the default and which therefore need nobody's leave.
"""

import pytest
from fault_server import FaultServer
from pydantic import Field
from sensecf_openai import GPT4FewShot, GPT4ZeroShot
from sensecf_openai.options import FewShotOptions, GPTOptions

from sensecf_bench.testing import parametrize_with_checks

PORT = 47613


class LocalZeroShot(GPT4ZeroShot):
    """GPT-4 zero-shot on this machine."""

    name = "local-zero-shot"
    needs = frozenset({"network"})

    class Options(GPTOptions):
        base_url: str = Field(f"http://127.0.0.1:{PORT}/v1", description="address of the endpoint")


class LocalFewShot(GPT4FewShot):
    """GPT-4 few-shot on this machine."""

    name = "local-few-shot"
    needs = frozenset({"network"})

    class Options(FewShotOptions):
        base_url: str = Field(f"http://127.0.0.1:{PORT}/v1", description="address of the endpoint")


@pytest.fixture(scope="module", autouse=True)
def server():
    with FaultServer(port=PORT) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def network_is_allowed():
    from sensecf_bench.testing.bench import shared_bench

    shared_bench().allowed = frozenset({"network"})


@parametrize_with_checks([GPT4ZeroShot, GPT4FewShot, LocalZeroShot, LocalFewShot])
def test_conformance(check):
    check()
