"""Batches, a shared prefix and padding change no answer: the reference is transformers' own loop, one prompt at a time."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xgrammar
from sensecf_huggingface.chat import prompt_ids
from sensecf_huggingface.constraint import Compiler, Masks, vocabulary
from sensecf_huggingface.decoding import Decoder, Decoding, Limits, PromptTooLongError
from sensecf_huggingface.grammar import edit_list_grammar
from small_models import save_llama, save_mistral
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from sensecf_bench import Feature, FeatureSchema
from sensecf_bench.prompting import Brief, Prompt

SCHEMA = FeatureSchema(
    (
        Feature(name="age", kind="integer", bounds=(18, 99), mutable=False),
        Feature(name="glucose", kind="continuous", bounds=(40, 400), precision=0.1, direction="decrease"),
        Feature(name="daily_steps", kind="integer", bounds=(0, None)),
        Feature(name="smoker", kind="binary", levels=("no", "yes")),
    )
)
ROWS = np.array(
    [[50, 140.5, 4000, 1], [9e1, 99.0, 12, 0], [18, 205.25, 123456, 1], [61, 77.7, 8, 0], [33, 390.0, 1000, 1]]
)
LONG = 200  # tokens; more than an answer without rationale can have here
VARIANTS = {
    "llama": (save_llama, {}),
    "llama, untied": (save_llama, {"tie_word_embeddings": False, "num_key_value_heads": 4, "seed": 5}),
    "mistral": (save_mistral, {}),
    "mistral, narrow window": (save_mistral, {"sliding_window": 100}),
    "mistral, padded output": (save_mistral, {"vocab_size": 600}),
}


@pytest.fixture(scope="module", params=VARIANTS)
def loaded(request, tmp_path_factory):
    save, settings = VARIANTS[request.param]
    return in_memory(save(tmp_path_factory.mktemp("model"), **settings))


@pytest.fixture(scope="module")
def llama(llama_folder):
    return in_memory(llama_folder)


def in_memory(folder, dtype=torch.float32):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()
    return SimpleNamespace(model=model, tokenizer=tokenizer, stop_ids=(tokenizer.eos_token_id,))


def asked(loaded, rationale=False):
    """Prompts of different lengths with a long common beginning, and their grammars, of which one is the second's alone."""
    schema = SCHEMA.with_scales(ROWS)
    prompt = Prompt.of(Brief.of(schema, ("well", "ill"), 0, ROWS, np.array([0, 1, 0, 1, 0])), rationale=rationale)
    rows = schema.decode(ROWS).to_dict("records")
    ids = [prompt_ids(loaded.tokenizer, prompt.messages(row)) for row in rows]
    assert len(set(map(len, ids))) > 2
    compiler = Compiler(loaded)
    return ids, [compiler.compile(edit_list_grammar(schema, row, rationale=rationale)) for row in rows]


def by_transformers(loaded, ids, grammar, most=LONG):
    """What transformers says to one prompt, with xgrammar's own processor where there is a grammar."""
    processors = [] if grammar is None else [xgrammar.contrib.hf.LogitsProcessor(grammar)]
    said = loaded.model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=most,
        do_sample=False,
        logits_processor=processors,
        pad_token_id=0,
    )[0, len(ids) :].tolist()
    ended = said[-1] in loaded.stop_ids
    return said[:-1] if ended else said, ended


def text_of(loaded, tokens):
    pieces = vocabulary(loaded).decoded_vocab
    return b"".join(pieces[token] for token in tokens).decode(errors="replace")


def test_greedy_answers_are_those_of_a_loop_in_transformers(loaded):
    ids, grammars = asked(loaded)
    answers = Decoder(loaded).decode(ids, grammars, [0] * len(ids), Decoding(LONG))
    for prompt, grammar, (answer,) in zip(ids, grammars, answers, strict=True):
        tokens, ended = by_transformers(loaded, prompt, grammar)
        assert (answer.text, answer.tokens, answer.finished) == (text_of(loaded, tokens), len(tokens), ended)
        assert answer.text.startswith('{"changes":[{"feature":"')


def test_so_are_free_answers_and_free_ones_among_constrained_ones(loaded):
    ids, grammars = asked(loaded)
    mixed = [None, grammars[1], None, grammars[3], None]
    answers = Decoder(loaded).decode(ids, mixed, [0] * len(ids), Decoding(24))
    for prompt, grammar, (answer,) in zip(ids, mixed, answers, strict=True):
        tokens, ended = by_transformers(loaded, prompt, grammar, 24)
        assert answer.text == text_of(loaded, tokens)
        assert answer.tokens == len(tokens)
        assert answer.finished == ended or (not ended and answer.text.endswith("]}"))


def test_so_are_those_of_a_model_with_full_and_sliding_layers(llama):
    config = Qwen2Config(
        vocab_size=len(llama.tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        use_sliding_window=True,
        sliding_window=90,
        max_window_layers=2,
        initializer_range=0.3,
        attn_implementation="sdpa",
    )
    assert set(config.layer_types) == {"full_attention", "sliding_attention"}
    mixed = SimpleNamespace(**{**vars(llama), "model": Qwen2ForCausalLM(config).eval()})
    ids, grammars = asked(mixed)
    answers = Decoder(mixed).decode(ids, grammars, [0] * len(ids), Decoding(LONG))
    for prompt, grammar, (answer,) in zip(ids, grammars, answers, strict=True):
        assert answer.text == text_of(mixed, by_transformers(mixed, prompt, grammar)[0])


def test_half_precision_on_a_cpu(llama_folder):
    half = in_memory(llama_folder, torch.bfloat16)
    ids, grammars = asked(half)
    answers = Decoder(half).decode(ids, grammars, [0] * len(ids), Decoding(LONG))
    assert all(answer.finished for (answer,) in answers)


def test_prompts_with_nothing_in_common(llama):
    prompts = [[7, 8, 9, 10], [11], [12, 13]]
    answers = Decoder(llama).decode(prompts, [None] * 3, [0] * 3, Decoding(8))
    for prompt, (answer,) in zip(prompts, answers, strict=True):
        assert answer.text == text_of(llama, by_transformers(llama, prompt, None, 8)[0])


def test_company_changes_no_sampled_answer(loaded):
    ids, grammars = asked(loaded, rationale=True)
    how = Decoding(40, samples=2, temperature=1.5)
    seeds = [11, 12, 13, 14, 2**32 - 1]
    together = Decoder(loaded).decode(ids, grammars, seeds, how)
    alone = [
        Decoder(loaded, Limits(batch=1)).decode([p], [g], [s], how)[0]
        for p, g, s in zip(ids, grammars, seeds, strict=True)
    ]
    turned = Decoder(loaded, Limits(batch=4)).decode(ids[::-1], grammars[::-1], seeds[::-1], how)[::-1]
    assert together == alone == turned
    assert len({answer.text for samples in together for answer in samples}) == 10


def test_more_samples_begin_with_the_fewer(llama):
    ids, grammars = asked(llama)
    few, many = (
        Decoder(llama).decode(ids[:2], grammars[:2], [1, 2], Decoding(LONG, samples=n, temperature=1.0)) for n in (2, 5)
    )
    assert [samples[:2] for samples in many] == few


def test_the_first_of_several_samples_can_be_the_greedy_answer_and_the_others_stay(llama):
    prompts = [[0, 5, 9, 7], [0, 5, 8, 6, 3]]
    drawn = Decoder(llama).decode(prompts, [None] * 2, [3, 4], Decoding(6, samples=3, temperature=1.5))
    how = Decoding(6, samples=3, temperature=1.5, first_greedy=True)
    mixed = Decoder(llama).decode(prompts, [None] * 2, [3, 4], how)
    greedy = Decoder(llama).decode(prompts, [None] * 2, [3, 4], Decoding(6))
    assert [m[0] for m in mixed] == [g[0] for g in greedy]
    assert [m[1:] for m in mixed] == [d[1:] for d in drawn]
    assert [d[0] for d in drawn] != [g[0] for g in greedy]


def test_distinct_samples_say_nothing_twice_and_keep_what_was_said(loaded):
    """Cold enough for the samples to repeat one another."""
    ids, grammars = asked(loaded)
    how = Decoding(LONG, samples=6, temperature=0.2, first_greedy=True)
    drawn = Decoder(loaded).decode(ids, grammars, [1, 2, 3, 4, 5], how)
    distinct = Decoder(loaded).decode(ids, grammars, [1, 2, 3, 4, 5], replace(how, distinct=True))
    assert sum(len(set(d)) for d in drawn) < 6 * len(ids)
    for before, after in zip(drawn, distinct, strict=True):
        assert len(set(after)) > len(set(before)) or len(set(before)) == 6
        assert set(before) <= set(after)
        assert after[0] == before[0]
    alone = [
        Decoder(loaded, Limits(batch=1)).decode([p], [g], [s], replace(how, distinct=True))[0]
        for p, g, s in zip(ids, grammars, [1, 2, 3, 4, 5], strict=True)
    ]
    assert alone == distinct


def test_where_only_one_answer_is_possible_all_samples_say_it(llama):
    only = xgrammar.GrammarCompiler(vocabulary(llama)).compile_grammar('root ::= "only"')
    how = Decoding(LONG, samples=4, temperature=1.0, distinct=True)
    (samples,) = Decoder(llama).decode([[5, 6, 7]], [only], [1], how)
    assert {s.text for s in samples} == {"only"}


def test_sampling_follows_the_model(llama):
    """The share of each first token among many samples is its probability, within four standard errors."""
    prompt, n = [5, 6, 7], 4000
    with torch.inference_mode():
        expected = torch.softmax(llama.model(torch.tensor([prompt])).logits[0, -1].double() / 0.8, -1)
    decoder = Decoder(llama, Limits(batch=500))
    (samples,) = decoder.decode([prompt], [None], [3], Decoding(1, samples=n, temperature=0.8))
    pieces = vocabulary(llama).decoded_vocab
    likely = expected.argsort(descending=True)[:5].tolist()
    for token in likely:
        piece = pieces[token].decode(errors="replace")
        same = [i for i, other in enumerate(pieces) if other.decode(errors="replace") == piece]
        p = float(expected[same].sum())
        said = sum(s.text == piece and s.tokens == 1 for s in samples) / n
        assert abs(said - p) < 4 * (p * (1 - p) / n) ** 0.5


class Cramped:
    """A model that runs out of memory above so many rows."""

    def __init__(self, model, most):
        self.model, self.most, self.refused = model, most, 0

    def __getattr__(self, name):
        return getattr(self.model, name)

    def __call__(self, input_ids, **more):
        if len(input_ids) > self.most:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.model(input_ids=input_ids, **more)


@pytest.mark.parametrize("most", [1, 3])
def test_when_memory_runs_out_the_batch_is_halved_and_the_answers_stay(llama, most):
    ids, grammars = asked(llama)
    how = Decoding(LONG, samples=2, temperature=1.0)
    expected = Decoder(llama).decode(ids, grammars, range(5), how)
    cramped = SimpleNamespace(**{**vars(llama), "model": Cramped(llama.model, most)})
    decoder = Decoder(cramped, Limits(batch=8))
    assert decoder.decode(ids, grammars, range(5), how) == expected
    assert decoder.batch in range(1, 2 * most)
    refused = cramped.model.refused
    assert refused
    assert decoder.decode(ids, grammars, range(5), how) == expected
    assert cramped.model.refused == refused  # what fitted is remembered


def test_when_not_even_one_prompt_fits_it_says_so(llama):
    ids, grammars = asked(llama)
    cramped = SimpleNamespace(**{**vars(llama), "model": Cramped(llama.model, 0)})
    with pytest.raises(torch.OutOfMemoryError):
        Decoder(cramped).decode(ids, grammars, range(5), Decoding(8))


def test_other_errors_are_not_taken_for_a_lack_of_memory(llama):
    class Broken(Cramped):
        def __call__(self, **more):
            raise RuntimeError("shapes do not fit")

    broken = SimpleNamespace(**{**vars(llama), "model": Broken(llama.model, 0)})
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        Decoder(broken).decode([[5, 6]], [None], [0], Decoding(8))


class Counting(Cramped):
    """A model that counts the tokens it reads."""

    def __init__(self, model):
        super().__init__(model, 10**6)
        self.read = 0

    def __call__(self, input_ids, **more):
        self.read += input_ids.numel()
        return super().__call__(input_ids, **more)


def test_the_shared_beginning_is_read_once_and_kept(llama):
    ids, grammars = asked(llama)
    model = Counting(llama.model)
    decoder = Decoder(SimpleNamespace(**{**vars(llama), "model": model}), Limits(batch=2))
    shared = next(i for i, column in enumerate(zip(*ids, strict=False)) if len(set(column)) > 1)
    longest = max(map(len, ids)) - shared
    decoder.decode(ids, grammars, [0] * 5, Decoding(1))
    assert shared < model.read <= shared + 6 * longest
    before = model.read
    first = decoder.decode(ids[:1], grammars[:1], [0], Decoding(1))
    assert model.read - before == len(ids[0]) - shared
    assert first == Decoder(llama).decode(ids[:1], grammars[:1], [0], Decoding(1))


def test_a_prefix_that_no_longer_fits_is_cropped_or_read_anew(llama):
    ids, grammars = asked(llama)
    decoder, how = Decoder(llama), Decoding(LONG)
    one_by_one = [decoder.decode([p], [g], [0], how)[0] for p, g in zip(ids, grammars, strict=True)]
    assert one_by_one == Decoder(llama).decode(ids, grammars, [0] * 5, how)
    other = [[9, 8, 7, 6, 5], [9, 8, 7, 1]]
    free = decoder.decode(other, [None] * 2, [0] * 2, Decoding(8))
    assert free == Decoder(llama).decode(other, [None] * 2, [0] * 2, Decoding(8))


def test_an_answer_that_runs_out_of_tokens_is_not_finished(llama):
    ids, grammars = asked(llama)
    answers = Decoder(llama).decode(ids, grammars, [0] * 5, Decoding(3))
    assert all(answer.tokens == 3 and not answer.finished for (answer,) in answers)


def test_control_tokens_are_no_text(llama):
    """A rationale cannot contain the name of a control token by way of the token itself."""
    _, grammars = asked(llama, rationale=True)
    control = [i for i in range(len(llama.tokenizer)) if i in llama.tokenizer.all_special_ids]
    assert control
    assert all(vocabulary(llama).decoded_vocab[i] == b"" for i in control)
    matcher = xgrammar.GrammarMatcher(grammars[0])
    assert matcher.accept_string('{"changes":[{"feature":"smoker","value":"no"}],"rationale":"so ')
    assert not any(matcher.accept_token(i) for i in control)


def test_a_prompt_beyond_what_the_model_reads_is_named(tmp_path):
    short = in_memory(save_llama(tmp_path, max_position_embeddings=8))
    decoder = Decoder(short)
    with pytest.raises(PromptTooLongError, match="prompt 1 has 9 tokens, and the model reads 8"):
        decoder.decode([[5], [5] * 9], [None] * 2, [0] * 2, Decoding(4))
    ((answer,),) = decoder.decode([[5] * 6], [None], [0], Decoding(4))
    assert answer.tokens <= 2


def test_nothing_asked_nothing_answered(llama):
    assert Decoder(llama).decode([], [], [], Decoding(4)) == []


@pytest.mark.parametrize("change", [{"samples": 0}, {"temperature": -1.0}, {"max_new_tokens": 0}])
def test_settings_that_mean_nothing_are_refused(change):
    with pytest.raises(ValueError, match="at least one token"):
        replace(Decoding(4), **change)


def test_layers_that_keep_no_keys_are_refused_by_name(llama):
    from sensecf_huggingface.reading import attention_kinds

    config = SimpleNamespace(sliding_window=None, layer_types=["full_attention", "linear_attention"])
    with pytest.raises(ValueError, match="linear_attention"):
        attention_kinds(config)
    mixed = SimpleNamespace(sliding_window=64, layer_types=["full_attention", "sliding_attention"])
    assert attention_kinds(mixed) == {"full_attention": None, "sliding_attention": 64}


def test_masks_that_are_kept_change_no_answer(llama, monkeypatch):
    ids, grammars = asked(llama)
    how = Decoding(LONG, samples=4, temperature=1.5)
    kept = Decoder(llama).decode(ids, grammars, range(len(ids)), how)
    monkeypatch.setattr(Masks, "after", lambda masks, place, token: next(unlike))
    unlike = itertools.count(10**6)  # no two answers stand alike, so every mask is filled for its own
    assert Decoder(llama).decode(ids, grammars, range(len(ids)), how) == kept
