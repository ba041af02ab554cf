"""LoRA through the weights is the LoRA that peft computes beside them."""

from __future__ import annotations

import warnings

import peft
import pytest
import torch
from sensecf_huggingface.tuning.composed import composed
from sensecf_huggingface.tuning.merged import merged
from tuning_tasks import small

from sensecf_bench.errors import ConfigError

IDS = torch.tensor([[0, 5, 6, 7, 8, 1], [0, 9, 4, 3, 2, 1]])


def adapted(folder, **changes):
    """A small model with an adapter that does something."""
    torch.manual_seed(3)
    options = {"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8.0, "target_modules": "all-linear", **changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = peft.get_peft_model(small(folder).model, peft.LoraConfig(**options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0.0, 0.05)
    return model


def learnt(model):
    """Loss and gradients of all that is trained."""
    model.zero_grad()
    loss = model(input_ids=IDS, labels=IDS).loss
    loss.backward()
    return float(loss.detach()), {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}


def test_loss_and_gradients_are_those_of_peft(llama_folder):
    model = adapted(llama_folder)
    loss, gradients = learnt(model)
    with composed(model):
        composed_loss, composed_gradients = learnt(model)
    assert composed_loss == pytest.approx(loss, rel=1e-5)
    assert composed_gradients.keys() == gradients.keys()
    assert gradients
    for name, gradient in gradients.items():
        assert gradient.abs().max() > 0
        torch.testing.assert_close(composed_gradients[name], gradient, rtol=1e-3, atol=1e-6)


def test_the_model_is_afterwards_as_it_was(llama_folder):
    model = adapted(llama_folder)
    before = learnt(model)
    with pytest.raises(RuntimeError, match="in the middle"), composed(model):
        learnt(model)
        raise RuntimeError("in the middle")
    after = learnt(model)
    assert after[0] == before[0]
    assert all(torch.equal(after[1][name], before[1][name]) for name in before[1])


def test_an_adapter_that_is_merged_is_not_added_twice(llama_folder):
    model = adapted(llama_folder).eval()
    with torch.no_grad():
        beside = model(input_ids=IDS).logits
        with composed(model), merged(model):
            inside = model(input_ids=IDS).logits
    torch.testing.assert_close(inside, beside, rtol=1e-4, atol=1e-5)


def test_dropout_is_refused(llama_folder):
    with pytest.raises(ConfigError, match="dropout") as refused, composed(adapted(llama_folder, lora_dropout=0.1)):
        pass
    assert "dropout=0.0" in str(refused.value.fix)
