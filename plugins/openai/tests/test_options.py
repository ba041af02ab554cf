"""What may be set, where requests go, and who is told when something is missing."""

import email.utils
import time

import pytest
from sensecf_openai import GPT4FewShot, GPT4ZeroShot, patience
from sensecf_openai.endpoint import Endpoint, is_loopback
from sensecf_openai.options import FewShotOptions, GPTOptions

from sensecf_bench import Unavailable


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST"])
def test_this_machine_is_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "10.0.0.1", "api.openai.com", "localhost.example.org", "127.0.0.1.nip.io"]
)
def test_everything_else_is_not(host):
    assert not is_loopback(host)


def test_who_is_told_of_people():
    assert GPT4ZeroShot().recipient() == "api.openai.com"
    assert GPT4ZeroShot(GPTOptions(base_url="http://[::1]:8000/v1")).recipient() == ""
    assert GPT4ZeroShot(GPTOptions(base_url="https://llm.clinic.example:8443/v1")).recipient() == "llm.clinic.example"
    assert GPT4ZeroShot(GPTOptions(replay=True)).recipient() == ""


def test_without_a_key_it_bows_out_with_the_cure():
    with pytest.raises(Unavailable, match="there is no key for api") as bows_out:
        GPT4FewShot().available()
    assert "export OPENAI_API_KEY" in bows_out.value.fix
    with pytest.raises(Unavailable, match="which key is meant for h"):
        GPT4FewShot(FewShotOptions(base_url="https://h/v1")).available()
    with pytest.raises(Unavailable, match="AZURE_OPENAI_API_KEY"):
        GPT4FewShot(FewShotOptions(base_url="https://h", api_version="2024-10-21", deployment="d")).available()
    GPT4FewShot(FewShotOptions(base_url="http://localhost:1/v1")).available()
    GPT4FewShot(FewShotOptions(replay=True)).available()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"base_url": "ftp://h"}, "no http or https"),
        ({"base_url": "http://h:port/v1"}, "no address"),
        ({"template": "edits-99"}, "there is no template"),
        ({"template": "edits-1", "style": "row"}, "not of the style"),
        ({"deployment": "d"}, "api_version"),
        ({"shots": 0}, "greater than or equal to 1"),
        ({"temprature": 1}, "Extra inputs"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        FewShotOptions.model_validate(given)


def test_a_record_names_the_template():
    assert GPTOptions().template == "edits-1"
    assert GPTOptions(style="row").template == "row-1"
    assert GPTOptions(template="row-1").style == "row"
    again = GPTOptions.model_validate(GPTOptions(style="row").model_dump(mode="json"))
    assert again == GPTOptions(style="row")


def test_azure_goes_through_its_own_client():
    import asyncio

    import openai

    client = Endpoint("https://clinic.openai.azure.com", "2024-10-21", "gpt4").client("k")
    assert isinstance(client, openai.AsyncAzureOpenAI)
    assert client.max_retries == 0
    asyncio.run(client.close())


def test_a_server_says_how_long_to_wait():
    assert patience.told_wait({"retry-after": "3"}) == 3.0
    assert patience.told_wait({"retry-after": "0.5"}) == 0.5
    assert patience.told_wait({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    later = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 27 < patience.told_wait({"retry-after": later}) <= 30
    for nonsense in ({}, {"retry-after": ""}, {"retry-after": "soon"}, {"retry-after": "-1"}):
        assert patience.told_wait(nonsense) is None or patience.told_wait(nonsense) == 0.0
    assert 2.0 <= patience.pause(1, 2.0) <= 2.1
    waits = [patience.pause(tries) for tries in range(1, 12)]
    assert all(0.25 <= wait <= patience.LONGEST_WAIT for wait in waits)


def test_the_price_of_a_run_is_known_before(breast_cancer):
    schema = breast_cancer
    zero, few = (cls().price(schema, 100, 1) for cls in (GPT4ZeroShot, GPT4FewShot))
    assert 0.5 < zero < few < 4.0
    assert GPT4ZeroShot().price(schema, 100, 3) == pytest.approx(3 * zero)
    assert GPT4ZeroShot(GPTOptions(replay=True)).price(schema, 100, 1) == 0.0


@pytest.fixture
def breast_cancer():
    from sensecf_bench.datasets.clinical import BreastCancer

    return BreastCancer().load().schema
