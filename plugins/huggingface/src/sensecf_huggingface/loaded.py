"""A checkpoint in memory, ready to answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sensecf_bench import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from sensecf_huggingface.checkpoint import Checkpoint

Device = str  # "auto", or as torch writes it: "cpu", "cuda", "cuda:1"
DType = Literal["auto", "float32", "bfloat16", "float16"]
Quantise = Literal["4bit"]
ANOTHER = "fetch the checkpoint again, or name another"
NO_BITSANDBYTES = "pip install sensecf-bench-huggingface[qlora], on a machine with a GPU"


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model in evaluation mode, its tokenizer (left-padding, with a padding token), and the ids that end an answer."""

    checkpoint: Checkpoint
    model: Any  # PreTrainedModel, or PeftModel where an adapter was kept apart
    tokenizer: Any  # PreTrainedTokenizerFast
    device: torch.device
    dtype: torch.dtype
    stop_ids: tuple[int, ...]


def load(
    checkpoint: Checkpoint,
    *,
    device: Device = "auto",
    dtype: DType = "auto",
    quantise: Quantise | None = None,
    adapter: Path | None = None,
) -> Loaded:
    """Load from the checkpoint's folder alone: safetensors only, no code of the checkpoint's own, no network.

    "auto" is the GPU where there is one, in bfloat16 (float16 where it has none); on a CPU it is float32 for weights
    stored as such and bfloat16 for others. `adapter` is the folder of a LoRA adapter (see `adapters`): it is merged into the
    weights, and kept apart over 4-bit ones. Raises Unavailable when a GPU or bitsandbytes is asked for and not there, when
    the tensors or the tokenizer are not what the configuration calls for, and when the adapter was sealed for another base
    or is damaged.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # it would fill a run's log

    where = _device(device)
    kind = _dtype(dtype, checkpoint, where)
    more: dict[str, Any] = {}
    if quantise == "4bit":
        more["quantization_config"] = _four_bits(where, kind)
        more["device_map"] = {"": where}
    model, report = AutoModelForCausalLM.from_pretrained(
        checkpoint.folder,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are refused below
        dtype=kind,
        attn_implementation="sdpa",
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        **more,
    )
    _refuse_made_up(checkpoint, report)
    if not more:
        model = model.to(where)
    if adapter is not None:
        model = _with_adapter(model, adapter, checkpoint, merge=quantise is None)
    model.eval()
    model.requires_grad_(False)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True, trust_remote_code=False)
    stop_ids = _stop_ids(model, tokenizer)
    _refuse_misfit(checkpoint, model, tokenizer, stop_ids)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(stop_ids[0])
    return Loaded(checkpoint, model, tokenizer, torch.device(where), kind, stop_ids)


def _device(asked: Device) -> torch.device:
    import torch

    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    where = torch.device(asked)
    if where.type == "cuda" and not torch.cuda.is_available():
        raise Unavailable(f"device={asked} was asked for, and torch {torch.__version__} finds no GPU", "use device=cpu")
    return where


def _dtype(asked: DType, checkpoint: Checkpoint, where: torch.device) -> torch.dtype:
    import torch

    if asked != "auto":
        kind: torch.dtype = getattr(torch, asked)
        return kind
    if where.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.float32 if checkpoint.dtype in ("float32", "float64") else torch.bfloat16


def _four_bits(where: torch.device, kind: torch.dtype) -> Any:
    """NF4 with double quantisation, as QLoRA has it (Dettmers et al. 2023, arXiv 2305.14314)."""
    import importlib.util

    if importlib.util.find_spec("bitsandbytes") is None:
        raise Unavailable("quantise=4bit needs bitsandbytes, which is not installed", NO_BITSANDBYTES)
    if where.type != "cuda":
        raise Unavailable("quantise=4bit needs a GPU, and this is to run on the CPU", "leave quantise out")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=kind
    )


def _refuse_made_up(checkpoint: Checkpoint, report: Mapping[str, Any]) -> None:
    """Tensors that are missing or of another shape, which transformers fills with random numbers."""
    odd = sorted([*report["missing_keys"], *(entry[0] for entry in report["mismatched_keys"])])
    if odd:
        raise Unavailable(
            f"{checkpoint.name} lacks {len(odd)} of the tensors that its config.json calls for, {odd[0]} first", ANOTHER
        )


def _refuse_misfit(checkpoint: Checkpoint, model: Any, tokenizer: Any, stop_ids: tuple[int, ...]) -> None:
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise Unavailable(
            f"the tokenizer of {checkpoint.name} knows {len(tokenizer)} tokens and the model {rows}: it is another model's",
            ANOTHER,
        )
    if not stop_ids:
        raise Unavailable(f"nothing in {checkpoint.name} says which token ends an answer (eos_token_id)", ANOTHER)


def _with_adapter(model: Any, adapter: Path, checkpoint: Checkpoint, merge: bool) -> Any:
    from peft import PeftModel

    from sensecf_huggingface.adapters import MANIFEST, for_base, refuse_odd

    if (adapter / MANIFEST).exists():
        for_base(adapter, checkpoint)
    else:  # in training, not sealed yet
        refuse_odd(adapter)
    adapted = PeftModel.from_pretrained(model, str(adapter), is_trainable=False, local_files_only=True)
    return adapted.merge_and_unload(safe_merge=True) if merge else adapted


def _stop_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every id that ends an answer: a chat model's end of turn stands beside its end of text in generation_config.json."""
    found: list[int] = []
    for given in (model.generation_config.eos_token_id, model.config.eos_token_id, tokenizer.eos_token_id):
        found += given if isinstance(given, list) else [given]
    return tuple(dict.fromkeys(i for i in found if i is not None))
