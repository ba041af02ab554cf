"""Practice moves a model towards the words that are worth most, at a price of distance that follows how many are valid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from sensecf_huggingface.loaded import load
from sensecf_huggingface.tuning import practice
from sensecf_huggingface.tuning.merged import merged
from sensecf_huggingface.tuning.practice import (
    DEAREST,
    Aims,
    Practice,
    Round,
    Tries,
    _Row,
    side_by_side,
)
from sensecf_huggingface.tuning.progress import quiet
from sensecf_huggingface.tuning.sweeps import Choice, Sweep
from sensecf_huggingface.tuning.training import fine_tune, practise
from tuning_tasks import RECIPE, reversals, small

from sensecf_bench.errors import RunFolderError

STEPS = replace(RECIPE, learning_rate=3e-2, schedule="constant", steps=30, batch=8, microbatch=3, dropout=0.0)
WORDS = np.arange(200, 208)  # the answers there are, a token each


@dataclass(frozen=True, eq=False)
class Wanting:
    """Asks for one of eight words after numbers from 0 to 15, and judges: `worth` and `far` of each word."""

    worth: tuple[float, ...]
    far: tuple[float, ...] = (0.0,) * 8

    @property
    def lengths(self):
        return np.full(16, 1)

    @property
    def fingerprint(self):
        return repr(self)

    def shares(self, model, chosen):
        ids = torch.tensor([[0, 20 + int(i)] for i in chosen])
        with torch.no_grad():
            return model(input_ids=ids).logits[:, -1, WORDS].double().softmax(-1).numpy()

    def round(self, model, chosen, chance):
        sweep = Sweep(0, WORDS, np.array(self.worth, dtype=float), np.array(self.far), np.full(len(WORDS), -1.0))
        tries, greedy = [], []
        for i, shares in zip(chosen, self.shares(model, chosen), strict=True):
            said = {int(shares.argmax()), int(chance.choice(8, p=shares / shares.sum()))}
            tries.append(Tries([0, 20 + int(i)], [[int(WORDS[k])] for k in said], [[sweep]] * len(said)))
            greedy.append(self.worth[int(shares.argmax())] > 0)
        return Round(tries, float(np.mean(greedy)))


@pytest.fixture(scope="module")
def adapter(llama_folder, tmp_path_factory):
    recipe = replace(RECIPE, steps=2)
    folder = tmp_path_factory.mktemp("adapter")
    return fine_tune(small(llama_folder), reversals(), recipe, folder, validate=None, note=quiet).adapter_folder


def practised(llama_folder, adapter, tutor, folder, recipe=STEPS, aims=None, note=quiet):
    return practise(small(llama_folder), adapter, tutor, aims or Aims(), recipe, folder, validate=None, note=note)


def shares_after(llama_folder, tuned, tutor):
    loaded = load(small(llama_folder).checkpoint, device="cpu", dtype="float32", adapter=tuned.adapter_folder)
    return tutor.shares(loaded.model, np.arange(16))


def test_it_comes_to_give_the_answer_that_is_worth_something(llama_folder, adapter, tmp_path):
    tutor = Wanting((0, 0, 0, 1, 0, 0, 0, 0))
    tuned = practised(llama_folder, adapter, tutor, tmp_path)
    assert tuned.losses[0] > 0.5
    assert np.mean(tuned.losses[-5:]) < 0.1
    assert (shares_after(llama_folder, tuned, tutor).argmax(axis=1) == 3).all()


def test_of_two_valid_answers_it_comes_to_give_the_nearer(llama_folder, adapter, tmp_path):
    tutor = Wanting((0, 1, 0, 0, 1, 0, 0, 0), far=(0, 2.0, 0, 0, 0.5, 0, 0, 0))
    shares = shares_after(llama_folder, practised(llama_folder, adapter, tutor, tmp_path), tutor)
    assert (shares.argmax(axis=1) == 4).all()


def test_choices_side_by_side_count_as_each_alone_would(llama_folder):
    loaded = small(llama_folder)
    one = Choice(0, np.array([30, 40, 50]), np.array([1.0, 0.0, 0.5]))
    other = Choice(1, np.array([34, 35]), np.array([0.2, 0.9]))
    rows = [
        _Row([0, 5, 6], [[30, 31], [32], [30, 33, 34]], [[other], [one], [one, other]]),
        _Row([0, 7], [[40], [41, 42]], [[one], [other]]),
    ]
    practice = Practice(loaded.model, dict(loaded.model.named_parameters()), Wanting((1.0,) * 8), STEPS, Aims())
    by_hand = 0.0
    for row in rows:
        for answer, choices in zip(row.answers, row.choices, strict=True):
            logits = loaded.model(input_ids=torch.tensor([[*row.prompt, *answer]])).logits[0]
            for choice in choices:
                shares = logits[len(row.prompt) - 1 + choice.place, choice.tokens].double().softmax(-1)
                by_hand += 1 - float(shares @ torch.tensor(choice.worth))
    assert float(practice._loss(rows)) == pytest.approx(by_hand, abs=1e-4)


def test_padding_is_looked_at_by_nobody_and_never_alone():
    choice = Choice(0, WORDS, np.linspace(0, 1, 8))
    rows = [_Row([0, 1], [[5], [6, 7]], [[choice], [choice]]), _Row([0], [[8]], [[choice]])]
    batch = side_by_side(rows, torch.device("cpu"))
    assert batch.targets.tolist() == [5, 6, 7, 8]
    assert batch.at == [0, 1, 3]
    assert batch.mask.any(-1).all()
    assert not batch.mask[1, 0, :2, 2:].any()
    assert batch.mask[0, 0, 4].tolist() == [True, True, False, True, True]  # its question and itself, not its neighbour
    assert batch.positions[0].tolist() == [0, 1, 2, 2, 3]


@pytest.mark.parametrize(("worth", "dearer"), [((1.0,) * 8, True), ((0.0,) * 8, False)])
def test_distance_becomes_dearer_while_more_answers_are_valid_than_wanted(llama_folder, worth, dearer):
    model = small(llama_folder).model
    parameters = {name: p.requires_grad_() for name, p in model.named_parameters() if "norm" in name}
    practice = Practice(model, parameters, Wanting(worth), STEPS, Aims(wanted=0.5, price=1.0))
    practice.step(np.arange(8), 0, 1e-3)
    assert (practice.price > 1) == dearer
    for step in range(1, 12):
        practice.step(np.arange(8), step, 1e-3)
    assert practice.price <= DEAREST


def test_a_round_in_which_all_words_are_worth_the_same_changes_nothing(llama_folder, adapter, tmp_path):
    tuned = practised(llama_folder, adapter, Wanting((0.0,) * 8), tmp_path, replace(STEPS, steps=2))
    before = load_file(adapter / "adapter_model.safetensors")
    after = load_file(tuned.adapter_folder / "adapter_model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert tuned.losses == (0.0, 0.0)  # there was no choice to make


def test_broken_off_it_ends_with_the_weights_it_would_have_had(llama_folder, adapter, tmp_path):
    tutor = Wanting((0, 1, 0, 0.5, 0, 1, 0, 0), far=tuple(np.linspace(0, 2, 8)))
    recipe = replace(STEPS, steps=12, checkpoint_steps=4)
    whole = practised(llama_folder, adapter, tutor, tmp_path / "whole", recipe)

    def stop(progress):
        if progress.step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        practised(llama_folder, adapter, tutor, tmp_path / "broken", recipe, note=stop)
    told = []
    gone_on = practised(llama_folder, adapter, tutor, tmp_path / "broken", recipe, note=told.append)
    assert "going on after step 4" in [p.remark for p in told]
    ours, theirs = (load_file(t.adapter_folder / "adapter_model.safetensors") for t in (gone_on, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert gone_on.losses == whole.losses
    with pytest.raises(RunFolderError, match="another training"):
        practised(llama_folder, adapter, Wanting((1.0,) * 8), tmp_path / "broken", recipe)


def test_merged_for_a_while_it_says_the_same_and_is_afterwards_what_it_was(llama_folder, adapter):
    model = PeftModel.from_pretrained(small(llama_folder).model, str(adapter), local_files_only=True).eval()
    ids = torch.arange(20, 60)[None]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        apart = model(input_ids=ids).logits
        with merged(model):
            together = model(input_ids=ids).logits
            inside = model.state_dict()
            assert any(not torch.equal(inside[name], value) for name, value in before.items())
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_rows_of_like_length_travel_together(monkeypatch):
    rows = [_Row([0] * 3, [[1] * n], [[]]) for n in (40, 1, 2, 30, 1)]
    monkeypatch.setattr(practice, "AT_ONCE", 16)
    parts = [[len(row) for row in part] for part in practice._alike(rows, 8)]
    assert parts == [[4, 4, 5], [33], [43]]  # three rows of 5 are 15 tokens; the long ones go alone
    assert [len(part) for part in practice._alike(rows, 2)] == [2, 1, 1, 1]
