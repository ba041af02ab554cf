"""Training learns what is scored and nothing else, keeps the best, and does the same twice."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import peft
import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from sensecf_huggingface.checkpoint import find
from sensecf_huggingface.loaded import load
from sensecf_huggingface.tuning import training
from sensecf_huggingface.tuning.examples import Example
from sensecf_huggingface.tuning.progress import quiet
from sensecf_huggingface.tuning.stepping import Stepper
from transformers import AutoModelForCausalLM
from tuning_tasks import RECIPE, reversals, small

from sensecf_bench import Unavailable
from sensecf_bench.errors import BenchError, ConfigError, DataError

ADAPTER = "adapter_model.safetensors"


@pytest.fixture
def loaded(llama_folder):
    return small(llama_folder)


@pytest.fixture
def fine_tune(loaded, tmp_path):
    folders = iter(range(100))

    def run(recipe=RECIPE, examples=None, validate=None, note=quiet, folder=None, of=None):
        folder = folder or tmp_path / f"training-{next(folders)}"
        return training.fine_tune(
            of or loaded, reversals() if examples is None else examples, recipe, folder, validate=validate, note=note
        )

    return run


def weights(tuned):
    return load_file(tuned.adapter_folder / ADAPTER)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def gradients(loaded, examples, **changes):
    """Loss and gradients of all weights over the examples, without dropout."""
    model = loaded.model
    model.requires_grad_(True)
    recipe = replace(RECIPE, dropout=0.0, **changes)
    parameters = dict(model.named_parameters())
    with Stepper(model, parameters, examples, recipe, print) as stepper:
        assert (stepper.collator.together > 1) == recipe.share_prefix  # so that packed rows are what is tested
        loss = stepper._gradients(np.arange(len(examples)), 0)
    found = {name: p.grad.clone() for name, p in parameters.items()}
    model.zero_grad()
    return float(loss), found


# -- what is learnt ------------------------------------------------------------------------------------------------------
def test_the_loss_is_that_of_the_completion_alone(loaded):
    """transformers' own loss and gradients, with labels of -100 wherever nothing is to be learnt, are the reference."""
    examples = reversals(6)
    loss, found = gradients(loaded, examples)
    model = loaded.model
    scored = sum(sum(e.scored) for e in examples)
    total = torch.zeros(())
    for example in examples:
        ids = torch.tensor([example.ids])
        labels = torch.where(torch.tensor([example.scored]), ids, -100)
        total = total + model(input_ids=ids, labels=labels).loss * sum(example.scored) / scored
    total.backward()
    assert loss == pytest.approx(float(total.detach()), rel=1e-5)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=1e-5)


def test_what_the_prompt_is_followed_by_in_the_prompt_is_not_learnt(loaded):
    """With attention cut off, a prompt's tokens reach the loss as targets only; other ones must change nothing."""
    for layer in loaded.model.model.layers:
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
    loss, found = gradients(loaded, [Example.answer([0, 5, 6, 7], [8, 1])], share_prefix=False)
    other_loss, other = gradients(loaded, [Example.answer([0, 90, 91, 7], [8, 1])], share_prefix=False)
    head = "model.layers.1.mlp.down_proj.weight"
    assert loss == other_loss
    assert torch.equal(found[head], other[head])
    all_loss, everything = gradients(loaded, [Example.whole([0, 5, 6, 7, 8, 1])], share_prefix=False)
    assert all_loss != loss
    assert not torch.equal(found[head], everything[head])


def test_the_loss_falls_and_the_adapter_is_what_peft_reads(fine_tune, loaded, llama_folder):
    judged = []

    def validate(model):
        judged.append(model(input_ids=torch.arange(20, 40)[None]).logits)
        return float(len(judged))

    tuned = fine_tune(replace(RECIPE, steps=60), validate=validate)
    assert np.mean(tuned.losses[-5:]) < 0.7 * np.mean(tuned.losses[:5])
    assert (tuned.steps, len(tuned.losses), tuned.validity) == (60, 60, 12.0)
    assert tuned.seconds > 0
    assert tuned.peak_memory > 10**6
    base = AutoModelForCausalLM.from_pretrained(llama_folder)
    read = peft.PeftModel.from_pretrained(base, tuned.adapter_folder).eval()
    torch.testing.assert_close(read(input_ids=torch.arange(20, 40)[None]).logits, judged[-1])
    config = json.loads((tuned.adapter_folder / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (4, 8, loaded.checkpoint.name)
    assert str(llama_folder.parent) not in (tuned.adapter_folder / "adapter_config.json").read_text()


def test_the_model_is_afterwards_the_one_it_was(fine_tune, loaded):
    ids = torch.arange(20, 40)[None]
    before, state = loaded.model(input_ids=ids).logits, torch.get_rng_state()
    fine_tune(validate=lambda model: 0.5)
    assert torch.equal(loaded.model(input_ids=ids).logits, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert not hasattr(loaded.model, "peft_config")


def test_an_adapter_is_not_put_on_an_adapted_model(fine_tune, loaded):
    adapted = peft.get_peft_model(loaded.model, peft.LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear"))
    with pytest.raises(ConfigError, match="already has an adapter"):
        fine_tune(of=replace(loaded, model=adapted))


# -- pretraining ---------------------------------------------------------------------------------------------------------
def test_pretraining_trains_all_weights_from_scratch(loaded, tmp_path):
    before = {name: p.clone() for name, p in loaded.model.named_parameters()}
    examples = [Example.whole(e.ids) for e in reversals()]
    recipe = replace(RECIPE, steps=40, learning_rate=3e-3)
    tuned = training.pretrain(loaded, examples, recipe, tmp_path, validate=None, note=quiet)
    assert np.mean(tuned.losses[-5:]) < 0.5 * np.mean(tuned.losses[:5])
    assert all(not torch.equal(before[name], p) for name, p in loaded.model.named_parameters())
    read = AutoModelForCausalLM.from_pretrained(tuned.adapter_folder).state_dict()
    assert same(read, loaded.model.state_dict())


def test_finished_pretraining_is_read_back_into_the_model(llama_folder, tmp_path):
    recipe, trained = replace(RECIPE, steps=3), []
    for _ in range(2):
        loaded = small(llama_folder)
        trained.append((training.pretrain(loaded, reversals(), recipe, tmp_path, validate=None, note=quiet), loaded))
    (first, one), (second, two) = trained
    assert first == second
    assert same(one.model.state_dict(), two.model.state_dict())


def test_half_precision_weights_are_not_pretrained(loaded, tmp_path):
    loaded.model.to(torch.bfloat16)
    with pytest.raises(ConfigError, match="float32"):
        training.pretrain(loaded, reversals(), RECIPE, tmp_path, validate=None, note=quiet)


# -- seeds and validation ------------------------------------------------------------------------------------------------
def test_the_same_seed_gives_the_same_weights_and_another_others(fine_tune):
    torch.manual_seed(1)
    one = weights(fine_tune())
    torch.manual_seed(2)  # the caller's own chance has no part in it
    assert same(weights(fine_tune()), one)
    assert not same(weights(fine_tune(replace(RECIPE, seed=1))), one)


def test_validation_does_not_change_what_is_learnt(fine_tune):
    def disturbing(model):
        torch.manual_seed(99)
        torch.rand(5)
        return float(disturbing.score)

    disturbing.score = 0.0
    plain = fine_tune(replace(RECIPE, steps=10))
    judged = fine_tune(replace(RECIPE, steps=10, validate_every=3), validate=disturbing)
    assert judged.losses == plain.losses


def test_the_best_weights_are_kept_and_patience_ends_it(fine_tune):
    scores = iter([0.2, 0.6, 0.5, 0.6, 0.4, 0.9])
    seen, remarks = [], []

    def validate(model):
        seen.append({name: p.clone() for name, p in peft.get_peft_model_state_dict(model).items()})
        assert not model.training
        assert not torch.is_grad_enabled()
        return next(scores)

    recipe = replace(RECIPE, steps=30, validate_every=2, patience=3)
    tuned = fine_tune(recipe, validate=validate, note=lambda p: remarks.append(p.remark))
    assert (tuned.steps, tuned.validity, len(seen)) == (10, 0.6, 5)
    assert same(weights(tuned), seen[1])  # the first of equals
    assert not same(weights(tuned), seen[-1])
    assert remarks[-1].startswith("stopped early: 3 validations")


def test_looking_at_composed_weights_leaves_the_training_as_it_is(fine_tune):
    """They are merged for the look, and taken out again to the bit."""
    merged = []

    def validate(model):
        layers = [layer for layer in model.modules() if isinstance(layer, BaseTunerLayer)]
        merged.append({layer.merged for layer in layers})
        return 1.0 / (1 + len(merged))

    recipe = replace(RECIPE, dropout=0.0, composed=True)
    looked_at = fine_tune(replace(recipe, validate_every=recipe.steps), validate=validate)
    assert merged == [{True}]
    assert same(weights(looked_at), weights(fine_tune(recipe)))
    often = fine_tune(replace(recipe, validate_every=6), validate=lambda model: 1.0)
    assert often.losses == looked_at.losses


def test_without_patience_it_goes_on_to_the_end(fine_tune):
    scores = iter([0.6, 0.1, 0.1, 0.1, 0.1])
    tuned = fine_tune(replace(RECIPE, steps=10, validate_every=2, patience=None), validate=lambda model: next(scores))
    assert (tuned.steps, tuned.validity) == (10, 0.6)


def test_validation_comes_after_each_epoch_and_at_the_end(fine_tune):
    calls = []
    recipe = replace(RECIPE, steps=None, epochs=2.4, validate_every=None)
    tuned = fine_tune(recipe, validate=lambda model: float(calls.append(1) is None))  # 40 examples: 5 steps an epoch
    assert (tuned.steps, len(calls)) == (12, 3)


def test_a_validity_that_is_no_number_is_refused(fine_tune):
    with pytest.raises(ConfigError, match="not a number"):
        fine_tune(validate=lambda model: float("nan"))


def test_progress_tells_steps_loss_and_time_left(fine_tune):
    told = []
    tuned = fine_tune(replace(RECIPE, steps=6), note=told.append)
    assert [p.step for p in told] == [1, 2, 3, 4, 5, 6]
    assert tuple(p.loss for p in told) == pytest.approx(tuned.losses)
    assert told[-1].left == 0
    assert all(p.left > 0 for p in told[:-1])
    rare = []
    fine_tune(replace(RECIPE, steps=6, report_seconds=1e9), note=rare.append)
    assert [p.step for p in rare] == [6]
    assert rare[0].loss == pytest.approx(np.mean(tuned.losses))


# -- what goes wrong -----------------------------------------------------------------------------------------------------
def test_nothing_to_learn_from_is_an_error(fine_tune):
    with pytest.raises(DataError, match="no examples"):
        fine_tune(examples=[])


def test_a_loss_that_ran_away_is_an_error_that_names_the_step(fine_tune, loaded):
    torch.nn.init.constant_(loaded.model.model.norm.weight, float("inf"))
    with pytest.raises(ConfigError, match=r"step 1 is (nan|inf).*\n.*learning_rate"):
        fine_tune()
    assert not hasattr(loaded.model, "peft_config")  # and the model is left alone all the same


def test_out_of_memory_goes_on_with_fewer_at_once(fine_tune, loaded):
    plain = fine_tune(replace(RECIPE, dropout=0.0, share_prefix=False, steps=3))
    remarks = []

    def refuse(module, args, kwargs):
        if len(kwargs["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = loaded.model.register_forward_pre_hook(refuse, with_kwargs=True)
    recipe = replace(RECIPE, dropout=0.0, share_prefix=False, steps=3, microbatch=8)
    tuned = fine_tune(recipe, note=lambda p: remarks.append(p.remark))
    hook.remove()
    assert [r for r in remarks if r] == [f"out of memory; {n} examples at once from here on" for n in (4, 2)]
    assert tuned.losses == pytest.approx(plain.losses, rel=1e-4)


def test_out_of_memory_on_one_example_says_what_to_do(fine_tune, loaded):
    def refuse(module, args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    loaded.model.model.register_forward_pre_hook(refuse)
    with pytest.raises(ConfigError, match=r"single example of .* tokens\n.*gradient_checkpointing"):
        fine_tune(replace(RECIPE, share_prefix=False))


def test_four_bits_without_bitsandbytes_is_unavailable(llama_folder):
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        with pytest.raises(Unavailable, match=r"bitsandbytes.*\n.*qlora"):
            load(find(str(llama_folder)), quantise="4bit")
    else:
        pytest.skip("bitsandbytes is installed")


# -- memory --------------------------------------------------------------------------------------------------------------
def test_checkpointed_activations_give_the_same_gradients_from_less_memory(loaded):
    examples = reversals(8)

    def kept(checkpointing):
        sizes = []

        def pack(tensor):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss, found = gradients(loaded, examples, gradient_checkpointing=checkpointing)
        return loss, found, sum(sizes)

    loss, found, large = kept(False)
    other_loss, other, little = kept(True)
    assert other_loss == loss
    for name in found:
        torch.testing.assert_close(other[name], found[name], rtol=1e-4, atol=1e-6)
    assert little < large


def test_adapters_of_a_bfloat16_model_are_trained_in_float32(fine_tune, llama_folder):
    half = load(find(str(llama_folder)), device="cpu", dtype="bfloat16")
    dtypes = []

    def validate(model):
        dtypes.append({p.dtype for p in model.parameters() if p.requires_grad})
        return 1.0

    tuned = fine_tune(replace(RECIPE, steps=20, gradient_checkpointing=True), validate=validate, of=half)
    assert dtypes[0] == {torch.float32}
    assert {t.dtype for t in weights(tuned).values()} == {torch.float32}
    assert np.mean(tuned.losses[-4:]) < np.mean(tuned.losses[:4])


def test_float16_models_are_refused(fine_tune, llama_folder):
    with pytest.raises(BenchError, match="float16"):
        fine_tune(of=load(find(str(llama_folder)), device="cpu", dtype="float16"))
