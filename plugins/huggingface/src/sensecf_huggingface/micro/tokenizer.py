"""A tokenizer in which every word of a codebook is one token, saved and loaded like anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensecf_huggingface.micro.codebook import Word

BEGIN, END, PAD, UNKNOWN = "<s>", "</s>", "<pad>", "<unk>"
STRING = r'"(?:[^"\\]|\\.)*"'
VALUE = rf"(?:{STRING}|-?[0-9][0-9.eE+\-]*)"
# Where texts are cut: the head of an edit, a feature with its value, the value of an edit, a number at the end.
CUT = rf'(?:\{{"changes":\[|,)\{{"feature":{STRING},"value":|{STRING}:{VALUE},?|{VALUE}\}}|(?<=: )[0-9.eE\-]+$'
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
)


def make_tokenizer(words: Sequence[Word], framing: Sequence[str]) -> Any:
    """A fast tokenizer of transformers that knows the words, and whatever `framing` texts consist of beside them."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    cut = pre_tokenizers.Split(Regex(CUT), behavior="isolated")
    pieces = [BEGIN, END, PAD, UNKNOWN, *(word.text for word in words)]
    for text in framing:
        pieces += [piece for piece, _ in cut.pre_tokenize_str(text)]
    ids = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
