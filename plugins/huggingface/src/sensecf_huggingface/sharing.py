"""Attention of many rows to one shared beginning.

The rows of a batch begin with the same long text. Its keys and values are held once, and all rows' queries look at them in
one pass, as if they were one long row; each row's own tokens are looked at apart. Two partial softmaxes are put together by
their log-sum-exp, which changes nothing but the order of additions (Juravsky et al. 2024, arXiv 2402.05099).
On CPUs alone: the kernel that tells its log-sum-exp is found there, and small models are run there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

if TYPE_CHECKING:
    from sensecf_huggingface.kvcache import Prefix

NAME = "sensecf_shared_prefix"
KNOWN = ("llama", "mistral")  # families whose attention is softmax(q k / s) v and nothing beside
KERNEL = "_scaled_dot_product_flash_attention_for_cpu"


def can_share(model: Any) -> bool:
    """Whether attention of this model can look at a prefix that is held apart."""
    config = model.config
    return (
        config.model_type in KNOWN
        and getattr(config, "sliding_window", None) is None
        and model.device.type == "cpu"
        and model.dtype in (torch.float32, torch.bfloat16)
        and hasattr(torch.ops.aten, KERNEL)
    )


@contextmanager
def shared_attention(model: Any) -> Iterator[None]:
    """Forward passes inside may be given `shared_prefix`."""
    before = model.config._attn_implementation
    model.config._attn_implementation = NAME
    try:
        yield
    finally:
        model.config._attn_implementation = before


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    shared_prefix: Prefix | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """`query` of shape `(n, heads, q, size)` against the prefix and the rows' own `key`, `(n, key heads, k, size)`."""
    if shared_prefix is None:
        attended: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **more
        )
        return attended
    before_key, before_value = shared_prefix.layers[module.layer_idx]
    rows, heads, asked, size = query.shape
    groups = key.shape[1]
    # Heads that share keys are nothing but more queries of them: (1, groups, n * heads / groups * q, size).
    gathered = query.reshape(rows, groups, -1, size).transpose(0, 1).reshape(1, groups, -1, size)
    kernel = getattr(torch.ops.aten, KERNEL)
    first, first_sum = kernel(gathered, before_key, before_value, scale=scaling)
    first = first.reshape(groups, rows, -1, size).transpose(0, 1).reshape(rows, heads, asked, size)
    first_sum = first_sum.reshape(groups, rows, -1).transpose(0, 1).reshape(rows, heads, asked)
    if asked == 1:
        packed = query.reshape(rows, groups, -1, size)
        second, second_sum = kernel(packed, key, value, attn_mask=attention_mask, scale=scaling)
        second, second_sum = second.reshape(rows, heads, 1, size), second_sum.reshape(rows, heads, 1)
    else:
        each = heads // groups
        own_key, own_value = key.repeat_interleave(each, 1), value.repeat_interleave(each, 1)
        second, second_sum = kernel(query, own_key, own_value, attn_mask=attention_mask, scale=scaling)
        second_sum = second_sum.reshape(rows, heads, asked)
    share = torch.sigmoid(first_sum - second_sum).unsqueeze(-1).to(first.dtype)
    together = torch.lerp(second, first, share)
    return together.transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, attend)
