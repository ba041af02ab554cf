"""Chat templates: with and without system messages, and with none at all."""

import pytest
from sensecf_huggingface.chat import DATE, answer_ids, folded, prompt_ids, prompt_text
from transformers import AutoTokenizer

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Row one"},
    {"role": "assistant", "content": "{}"},
    {"role": "user", "content": "Row two"},
]
ANSWER = '{"changes":[{"feature":"β-blocker","value":"<10 mg"}]}'


@pytest.fixture(params=["llama_folder", "mistral_folder"])
def tokenizer(request):
    return AutoTokenizer.from_pretrained(request.getfixturevalue(request.param))


@pytest.fixture
def llama(llama_folder):
    return AutoTokenizer.from_pretrained(llama_folder)


def test_a_template_with_system_messages_is_used_as_it_is(llama):
    ids = prompt_ids(llama, MESSAGES)
    assert ids == llama.apply_chat_template(MESSAGES, add_generation_prompt=True)["input_ids"]
    assert ids.count(llama.bos_token_id) == 1


def test_a_template_that_refuses_system_messages_gets_the_text_in_the_first_user_turn(mistral_folder):
    tokenizer = AutoTokenizer.from_pretrained(mistral_folder)
    expected = "<s>[INST] Be brief.\n\nRow one [/INST]{}</s>[INST] Row two [/INST]"
    assert prompt_text(tokenizer, MESSAGES) == expected


def test_a_template_that_drops_system_messages_silently_is_noticed(llama):
    llama.chat_template = "{% for m in messages if m.role != 'system' %}[{{ m.content }}]{% endfor %}"
    assert prompt_text(llama, MESSAGES) == "[Be brief.\n\nRow one][{}][Row two]"


def test_a_template_cannot_put_today_into_the_prompt(llama):
    llama.chat_template = (
        "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "Today: {{ date_string }}{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    assert prompt_text(llama, MESSAGES).startswith(f"Today: {DATE}Be brief.")


def test_without_a_template_turns_stand_under_headings(llama):
    llama.chat_template = None
    text = prompt_text(llama, MESSAGES[:2])
    assert text == "<|begin_of_text|>### System\nBe brief.\n\n### User\nRow one\n\n### Assistant\n"


def test_folding_without_a_user_turn_makes_one():
    assert folded(MESSAGES[:1]) == [{"role": "user", "content": "Be brief."}]
    assert folded(MESSAGES[1:]) == MESSAGES[1:]


def test_answers_begin_without_the_space_some_tokenizers_add(tokenizer):
    tokens = tokenizer.convert_ids_to_tokens(answer_ids(tokenizer, ANSWER))
    assert tokens[0].startswith("{")
    assert tokenizer.decode(answer_ids(tokenizer, ANSWER)) == ANSWER
