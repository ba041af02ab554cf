"""What a model is shown is what it will be asked, and what it learns to write is the answer and its end."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sensecf_huggingface.tuning.examples import Example, encode, end_of_turn, fingerprint
from sensecf_huggingface.tuning.sweeps import Choice
from transformers import AutoTokenizer

from sensecf_bench.errors import DataError

ANSWER = '{"changes":[{"feature":"glucose","value":97.5}]}'
MESSAGES = [{"role": "user", "content": "Which change to daily_steps would turn the prediction?"}]


@pytest.fixture(params=["llama", "mistral"])
def loaded(request):
    tokenizer = AutoTokenizer.from_pretrained(request.getfixturevalue(f"{request.param}_folder"))
    return SimpleNamespace(tokenizer=tokenizer, stop_ids=(tokenizer.convert_tokens_to_ids(tokenizer.eos_token),))


def test_prompt_ids_are_those_of_the_template_with_a_generation_prompt(loaded):
    (example,) = encode(loaded, [(MESSAGES, ANSWER)])
    asked = loaded.tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, tokenize=True, return_dict=False)
    prompt = [i for i, scored in zip(example.ids, example.scored, strict=True) if not scored]
    assert prompt == asked
    assert list(example.ids[: len(prompt)]) == prompt  # scored tokens only after the prompt


def test_targets_are_the_answer_and_the_end_of_turn(loaded):
    (example,) = encode(loaded, [(MESSAGES, ANSWER)])
    targets = [i for i, scored in zip(example.ids, example.scored, strict=True) if scored]
    assert targets[-1] == loaded.tokenizer.eos_token_id
    assert targets.count(loaded.tokenizer.eos_token_id) == 1
    assert loaded.tokenizer.decode(targets[:-1]).strip() == ANSWER


def test_the_end_is_the_one_of_the_template_among_several(llama_folder):
    tokenizer = AutoTokenizer.from_pretrained(llama_folder)
    text, turn = (tokenizer.convert_tokens_to_ids(t) for t in ("<|end_of_text|>", "<|eot_id|>"))
    assert end_of_turn(tokenizer, (text, turn)) == turn
    tokenizer.chat_template = None
    assert end_of_turn(tokenizer, (text,)) == text
    with pytest.raises(DataError, match="ends an answer"):
        end_of_turn(tokenizer, ())


def test_examples_that_teach_nothing_are_refused():
    with pytest.raises(DataError, match="no token to learn"):
        Example((1, 2), (False, False))
    with pytest.raises(DataError, match="nothing comes before"):
        Example((1, 2), (True, True))
    with pytest.raises(DataError, match="2 token ids and 1 marks"):
        Example((1, 2), (False,))
    with pytest.raises(DataError, match="choice at a token that is not scored"):
        Example((1, 2, 3), (False, False, True), (Choice(1, np.array([2, 4]), np.array([0.0, 1.0])),))
    assert Example.whole([5, 6, 7]).scored == (False, True, True)
    assert Example.answer([5, 6], [7]) == Example((5, 6, 7), (False, False, True))


def test_fingerprints_tell_tokens_marks_and_order_apart():
    a, b = Example.answer([1, 2], [3]), Example.answer([1], [2, 3])
    prints = {fingerprint(e) for e in ([a], [b], [a, b], [b, a], [])}
    assert len(prints) == 5
    assert fingerprint([a]) == fingerprint([Example.answer([1, 2], [3])])


def test_fingerprints_tell_choices_apart():
    tokens, worth = np.array([3, 4]), np.array([0.0, 1.0])
    plain = Example.answer([1, 2], [3, 4])
    choices = [
        Choice(2, tokens, worth),
        Choice(3, tokens, worth),
        Choice(2, tokens + 1, worth),
        Choice(2, tokens, 1 - worth),
    ]
    prints = {fingerprint([plain]), *(fingerprint([replace(plain, choices=(c,))]) for c in choices)}
    assert len(prints) == 5
    assert fingerprint([replace(plain, choices=(choices[0],))]) in prints
