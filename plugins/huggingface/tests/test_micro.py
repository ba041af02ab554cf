"""llama-micro: its words, and its answers about people with features of every kind."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_tables import tables
from sensecf_huggingface import judging
from sensecf_huggingface.asking import Asker
from sensecf_huggingface.chat import answer_ids, prompt_ids
from sensecf_huggingface.constraint import Compiler
from sensecf_huggingface.finetuning import Exercise, Lesson
from sensecf_huggingface.generators import Micro, MicroTuned
from sensecf_huggingface.grammar import edit_list_grammar
from sensecf_huggingface.judging import FAINTEST, OUTSIDE, UNIT, Judge, Sweeper, probability_of_target, unit_for
from sensecf_huggingface.micro import base
from sensecf_huggingface.micro.codebook import PROBABILITIES, Codebook, probability_text
from sensecf_huggingface.micro.tokenizer import make_tokenizer
from sensecf_huggingface.questions import Questions
from sensecf_huggingface.targets.pairs import Aims as TargetAims
from sensecf_huggingface.targets.people import asked_about
from sensecf_huggingface.targets.values import Values
from sensecf_huggingface.tuning import training
from sensecf_huggingface.tuning.practice import RULES
from sensecf_huggingface.tuning.practice import Aims as PracticeAims
from sensecf_huggingface.tuning.recipe import Recipe
from sensecf_huggingface.tutoring import ClassifierTutor, Classroom

from sensecf_bench import FeatureSchema, LinearConstraint
from sensecf_bench.admission import admit
from sensecf_bench.contracts import classes_of
from sensecf_bench.prompting import Brief, Prompt
from sensecf_bench.testing.hand_made import EVERY_KIND, queries_of, rows_of_every_kind, task_of

ROWS = 120
WEIGHTS = np.array([-0.4, 2e-4, -0.03, -0.8, 0.6, 0.0, 0.0, 0.3, 0.0])


def rule(rows):
    """Wants little dose and weight, many steps, fitness and sleep, and no smoking."""
    yes = 1 / (1 + np.exp(-((rows - rows_of_every_kind(ROWS).mean(axis=0)) * WEIGHTS).sum(axis=1)))
    return np.column_stack([1 - yes, yes])


CONSTRAINTS = (LinearConstraint(name="dose-by-sleep", coefficients={"dose": 1.0, "sleep": -1.0}, most=1.5),)


@pytest.fixture(scope="module")
def rows():
    return rows_of_every_kind(ROWS)


@pytest.fixture(scope="module")
def schema(rows):
    return FeatureSchema(EVERY_KIND).with_scales(rows)


@pytest.fixture(scope="module")
def codebook(schema, rows):
    return Codebook(Values.of(schema, rows, 40))


@pytest.fixture(scope="module")
def questions(schema, rows, codebook):
    brief = Brief.of(schema, ("no", "yes"), 1, rows, rule(rows).argmax(axis=1))
    return Questions(Prompt.of(brief, "edits", rationale=False), True, codebook)


@pytest.fixture(scope="module")
def tokenizer(rows, questions, codebook, tmp_path_factory):
    """The tokenizer as pretraining writes it, read again as anybody reads one."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("untrained") / "untrained"
    base._write_untrained(base.Lessons(questions, codebook, rows, 0), folder)
    return AutoTokenizer.from_pretrained(folder)


# -- words ---------------------------------------------------------------------------------------------------------
def test_every_word_is_one_token_and_comes_back(codebook, tokenizer):
    words = codebook.words()
    assert {word.role for word in words} == {"person", "feature", "value", "probability"}
    for word in words:
        ids = tokenizer.encode(word.text, add_special_tokens=False)
        if word.role == "probability":  # only one at the end of a question is
            ids = [tokenizer.convert_tokens_to_ids(word.text)]
        assert len(ids) == 1, word
        assert ids[0] != tokenizer.unk_token_id
        assert tokenizer.decode(ids) == word.text


def test_a_person_is_one_token_a_feature_and_nothing_is_unknown(schema, questions, tokenizer):
    strangers = rows_of_every_kind(200, seed=7)
    strangers[:, 2] *= np.where(np.arange(200) % 3, 1, 4)  # weights that nobody in training has
    asked = questions.messages(strangers, np.linspace(0, 0.5, 200))
    lengths = set()
    for messages in asked:
        ids = prompt_ids(tokenizer, messages)
        assert tokenizer.unk_token_id not in ids
        lengths.add(len(ids))
        pieces = tokenizer.convert_ids_to_tokens(ids)
        assert [piece.split('"')[1] for piece in pieces if piece.startswith('"')] == list(schema.names)
    assert len(lengths) == 1
    assert max(lengths) < len(schema) + 12


def test_answers_of_training_have_no_unknown_token(rows, questions, codebook, tokenizer):
    people = codebook.spoken(rows_of_every_kind(300, seed=3))
    chance = np.random.default_rng(0)
    edited = base.edits(codebook.schema, codebook, people, people[::-1], chance)
    real = codebook.schema.changed(edited, people).any(axis=1)
    assert real.sum() > 200
    for text in questions.answers(people[real], edited[real]):
        ids = answer_ids(tokenizer, text)
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids) == text
        edits = text.count('"feature"')
        assert len(ids) == 2 * edits + 1  # head and value of each edit, and the end


def test_grammar_accepts_every_value_of_the_codebook(schema, rows, questions, codebook):
    """Byte by byte, whatever the tokenizer: nothing that training teaches is forbidden when it is asked for."""
    import xgrammar

    person = codebook.spoken(rows[:1])
    row = schema.decode(rows[:1]).to_dict("records")[0]
    compiler = xgrammar.GrammarCompiler(
        xgrammar.TokenizerInfo([chr(i) for i in range(256)] + ["</s>"], stop_token_ids=[256])
    )
    compiled = compiler.compile_grammar(str(edit_list_grammar(schema, row, rationale=False).text))
    tried = 0
    for j in np.flatnonzero(schema.mutable):
        for value in codebook.values.choices[j]:
            other = person.copy()
            other[0, j] = value
            direction = schema.features[j].direction
            wrong = {"increase": value < rows[0, j], "decrease": value > rows[0, j]}.get(direction, False)
            if wrong or not schema.changed(other, person).any() or not schema.changed(other, rows[:1]).any():
                continue
            (text,) = questions.answers(person, other)
            matcher = xgrammar.GrammarMatcher(compiled)
            assert matcher.accept_string(text), text
            tried += 1
    assert tried > 100


@given(tables(24), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_there_is_one_way_to_say_an_answer_and_always_a_next_word(table, seed):
    """Of words alone, and not of other words' pieces: practice sees the one way."""
    schema, matrix = table
    schema, chance = schema.with_scales(matrix), np.random.default_rng(seed)
    assume(schema.mutable.any())
    brief = Brief.of(schema, ("no", "yes"), 1, matrix, np.arange(len(matrix)) % 2)
    codebook = Codebook(Values.of(schema, matrix, 40))
    questions = Questions(Prompt.of(brief, "edits", rationale=False), True, codebook, mend=True)
    tokenizer = base.tokenizer_for(base.Lessons(questions, codebook, matrix, 0))
    model = SimpleNamespace(get_output_embeddings=lambda: SimpleNamespace(weight=np.zeros((len(tokenizer), 1))))
    loaded = SimpleNamespace(tokenizer=tokenizer, model=model, stop_ids=(tokenizer.eos_token_id,))
    compiler = Compiler(loaded, questions.words)
    rows = schema.decode(matrix).to_dict("records")
    for row, mended in zip(rows, questions.to_mend(matrix), strict=True):
        grammar = edit_list_grammar(schema, row, rationale=False, said=questions.said, mended=mended)
        if grammar is None:
            continue
        ids = said_by_chance(compiler.compile(grammar), chance)
        text = tokenizer.decode(ids)
        assert tokenizer.encode(text, add_special_tokens=False) == ids
        assert len(ids) == 2 * text.count('"feature":') + 1
        questions.read(text, row)


def said_by_chance(grammar, chance):
    """Tokens, each drawn from all that the grammar allows."""
    import xgrammar

    matcher = xgrammar.GrammarMatcher(grammar, terminate_without_stop_token=True)
    bits = xgrammar.allocate_token_bitmask(1, grammar.tokenizer_info.vocab_size)
    ids = []
    while not matcher.is_terminated():
        matcher.fill_next_token_bitmask(bits, 0)
        words = bits.numpy().view(np.uint32)[0]
        allowed = np.flatnonzero(words[np.arange(len(words) * 32) // 32] >> (np.arange(len(words) * 32) % 32) & 1)
        assert len(allowed), f"nothing may follow {ids}"
        ids.append(int(chance.choice(allowed)))
        assert matcher.accept_token(ids[-1])
    return ids


def test_a_text_without_words_is_unknown_and_is_seen_to_be(codebook):
    """The guard in the tests above can fail: a tokenizer that lacks its framing has to call it unknown."""
    bare = make_tokenizer(codebook.words(), [])
    assert bare.unk_token_id in bare.encode("What is to be done?", add_special_tokens=False)


@given(st.floats(0, 0.5))
@settings(max_examples=200, deadline=None)
def test_a_probability_is_one_of_those_there_are_and_near(p):
    text = probability_text(p)
    assert text in PROBABILITIES
    assert abs(float(text) - p) <= 0.02


# -- answers -------------------------------------------------------------------------------------------------------
class Quick(MicroTuned):
    """llama-micro-ft of a few steps."""

    class Options(MicroTuned.Options):
        steps: int = 12
        imagined: int = 150


class QuickBase(Micro):
    """llama-micro, pretrained for a few steps."""


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "PRETRAINING", replace(base.PRETRAINING, steps=12))
        patch.setattr(base, "PEOPLE", 300)
        yield


@pytest.fixture(scope="module")
def bound(rows):
    """The schema with a constraint between two features, and the rows that keep it."""
    schema = FeatureSchema(EVERY_KIND, constraints=CONSTRAINTS)
    kept = rows[schema.keeps(rows)]
    assert 40 < len(kept) < len(rows)
    return schema.with_scales(kept), kept


@pytest.fixture(scope="module")
def task(bound, tmp_path_factory):
    schema, kept = bound
    return task_of(schema, kept, classes_of(rule(kept)), rule, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def queries(bound):
    schema, _ = bound
    people = rows_of_every_kind(80, seed=11)
    people = people[schema.keeps(people)]
    people = people[classes_of(rule(people)) == 0][:16]
    return queries_of(schema, people, np.zeros(len(people), dtype=np.int64))


def answer(generator, task, queries):
    generator.fit(task)
    batch = generator.generate(queries)
    frame = batch.rows
    admitted = admit({str(c): frame[c].to_numpy() for c in frame.columns}, queries, task.k, batch.rationales)
    return batch, admitted


@pytest.mark.parametrize("kind", [QuickBase, Quick])
def test_answers_keep_every_rule_of_every_kind(kind, task, queries):
    batch, admitted = answer(kind(), task, queries)
    assert not batch.unparsable
    assert set(batch.rows["query_id"]) == set(queries.ids)
    # A grammar cannot add up, so what the harness refuses may be a sum of features that is too large, and nothing else.
    assert all("dose-by-sleep" in reason for reason in admitted.reasons if reason)
    free = FeatureSchema(EVERY_KIND).with_scales(task.train_matrix)
    assert free.keeps(admitted.matrix).all()
    own = queries.matrix[admitted.owner]
    assert (admitted.matrix[:, 1] >= own[:, 1]).all()
    assert (admitted.matrix[:, 2] <= own[:, 2]).all()
    assert (admitted.matrix[:, 6] == own[:, 6]).all()


def test_whoever_lies_beyond_the_training_rows_is_brought_back_where_that_is_asked_for(bound, task, queries):
    """By whatever a model that knows next to nothing says: it is the grammar that sees to it."""
    schema, _ = bound
    people = queries.matrix.copy()
    mutable = schema.numeric & schema.mutable
    free = mutable & np.array([feature.direction == "any" for feature in schema.features])
    scales = schema.frozen_scales()
    people[:, free] = (scales.high + 0.2 * scales.span)[free]
    low, high = schema.hard_bounds
    people = np.clip(people, low, high)
    people = people[schema.keeps(people)]
    assert len(people) > 4
    assert not schema.in_training_range(people)[:, free].all(axis=1).any()
    strangers = queries_of(schema, people, np.zeros(len(people), dtype=np.int64))
    inside = {}
    for mend in (False, True):
        batch, _ = answer(QuickBase(QuickBase.Options(mend=mend)), task, strangers)
        rows = schema.encode(batch.rows.set_index("query_id").loc[list(strangers.ids)].reset_index())
        inside[mend] = schema.in_training_range(rows)[:, free].all(axis=1).mean()
    assert inside[True] == 1
    assert inside[False] < 1


def test_less_than_a_features_precision_is_nothing_to_mend(schema, rows, questions):
    scales, names = schema.frozen_scales(), schema.names
    j = int(np.flatnonzero(schema.numeric & schema.mutable & (schema.steps > 0))[0])
    people = np.repeat(rows[:1], 3, axis=0)
    people[:, j] = scales.high[j] + schema.steps[j] * np.array([0.0, 0.4, 1.0])
    assert replace(questions, mend=True).to_mend(people) == [(), (), (names[j],)]
    assert questions.to_mend(people) == [(), (), ()]
    immutable = int(np.flatnonzero(schema.numeric & ~schema.mutable)[0])
    people[:, immutable] = scales.high[immutable] + 50 * max(schema.steps[immutable], 1.0)
    assert replace(questions, mend=True).to_mend(people) == [(), (), (names[j],)]


def test_the_same_seed_answers_alike_and_what_was_learnt_is_found_again(task, queries, tmp_path, monkeypatch):
    here = replace(task, cache=tmp_path / "here")
    first, _ = answer(Quick(), here, queries)
    elsewhere, _ = answer(Quick(), replace(task, cache=tmp_path / "elsewhere"), queries)
    assert first.rows.equals(elsewhere.rows)

    def never(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "fine_tune", never)
    monkeypatch.setattr(training, "pretrain", never)
    again, _ = answer(Quick(), here, queries)
    assert first.rows.equals(again.rows)


def test_who_can_change_nothing_is_abstained_from(bound, task):
    schema, kept = bound
    frozen = FeatureSchema(tuple(f.model_copy(update={"mutable": False, "direction": "any"}) for f in schema.features))
    frozen = frozen.with_scales(kept)
    generator = Quick()
    generator.fit(replace(task, schema=frozen))
    assert generator.generate(queries_of(frozen, kept[:4], np.zeros(4, dtype=np.int64))) is None


# -- practice ------------------------------------------------------------------------------------------------------
def test_a_tutor_sweeps_what_was_said_by_the_classifier_the_rules_and_the_range(task):
    """Every word of every answer is put into the answer's text here, read as an answer is, and judged anew."""
    generator = Quick()
    generator.fit(task)
    asker = generator._asker
    chosen, unit = np.arange(6), 0.1
    people = task.train_matrix[classes_of(rule(task.train_matrix)) == 0]
    sweeper = Sweeper(Judge(task.schema, asker.probability, unit), asker.questions.codebook, asker.loaded.tokenizer)
    room = Classroom(task, asker.loaded, asker.questions, sweeper, people, 3, 1.0)
    round_ = ClassifierTutor(room).round(asker.loaded.model, chosen, np.random.default_rng(0))
    queries = asked_about(task, people[chosen], np.zeros(len(chosen), dtype=np.uint64))
    _, greedy = Asker(asker.loaded, asker.questions, asker.probability).ask(queries)
    tokenizer, codebook = asker.loaded.tokenizer, asker.questions.codebook
    texts = [w.text for j in np.flatnonzero(task.schema.mutable) for w in codebook.of_edits(j) if w.role == "value"]
    values = set(tokenizer.convert_tokens_to_ids(texts))

    def row_of(ids, query):
        proposal = asker.questions.read(tokenizer.decode(ids), query.row)
        return task.schema.encode(pd.DataFrame([dict(proposal.row)]))

    def worth(row):
        if not (rule(row)[:, 1] >= 0.5 and task.schema.keeps(row)):
            return 0.0
        return 1.0 if task.schema.in_training_range(row).all() else OUTSIDE

    def odds(row):
        probability = np.clip(rule(row)[0, 1], FAINTEST, 0.5)
        return np.log(probability / (1 - probability)) if task.schema.keeps(row) else -np.inf

    valid, swept = [], {"value": 0, "left out": 0, "ends": 0}
    for i, (query, tries, said) in enumerate(zip(queries, round_.tries, greedy, strict=True)):
        assert tuple(tries.answers[0]) == said[0].ids  # the greedy answer comes first
        assert len(set(map(tuple, tries.answers))) == len(tries.answers)
        valid.append(worth(row_of(tries.answers[0], query)) > 0)
        for ids, sweeps in zip(tries.answers, tries.sweeps, strict=True):
            assert set(ids[1:-1:2]) <= values
            edits = (len(ids) - 1) // 2
            assert [s.place for s in sweeps if s.place % 2] == [2 * e + 1 for e in range(edits)]
            for sweep in sweeps:
                assert ids[sweep.place] in sweep.tokens
                for token, its_worth, far, its_odds in zip(
                    sweep.tokens, sweep.worth, sweep.far, sweep.odds, strict=True
                ):
                    if sweep.place % 2:
                        other, kind = [*ids[: sweep.place], token, *ids[sweep.place + 1 :]], "value"
                    elif token == ids[-1] and sweep.place + 3 < len(ids):
                        other, kind = [*ids[: sweep.place], token], "ends"
                    else:
                        after = sweep.place + (0 if token == ids[sweep.place] else 2)
                        other, kind = [*ids[: sweep.place], token, *ids[after + 1 :]], "left out"
                    row = row_of(other, query)
                    assert its_worth == worth(row)
                    assert its_odds == pytest.approx(odds(row))
                    assert far == pytest.approx(task.schema.gaps(row, people[i : i + 1]).mean() / unit)
                    swept[kind] += 1
    assert round_.valid == np.mean(valid)
    assert swept["value"] > 100


def test_distance_is_counted_alike_for_every_classifier_unless_all_of_it_is_tiny():
    assert unit_for(np.array([0.02, 0.04])) == unit_for(np.array([0.1, 0.3])) == UNIT
    assert unit_for(np.array([0.001, 0.003])) == pytest.approx(0.004)
    assert unit_for(np.zeros(3)) > 0


def test_an_answer_of_three_edits_is_swept_by_hand(schema, codebook, tokenizer):
    """Where a person needs a single edit, the other two may be left out, and an answer may end after the one."""
    person = rows_of_every_kind(ROWS)[0]
    dose, steps, weight = (schema.names.index(name) for name in ("dose", "steps", "weight"))

    def needs_the_dose(rows):
        return np.where(rows[:, dose] == row[dose], 1.0, 0.0)

    row, ids = person.copy(), []
    for at, j in enumerate((dose, steps, weight)):
        words = tokenizer.convert_tokens_to_ids([word.text for word in codebook.of_edits(j)])
        choices = codebook.values.choices[j]
        k = len(choices) - 1 if choices[-1] != person[j] else 0
        row[j] = choices[k]
        ids += [words[0 if at == 0 else 1], words[2 + k]]
    (end,) = tokenizer.encode("]}", add_special_tokens=False)
    sweeper = Sweeper(Judge(schema, needs_the_dose, 1.0), codebook, tokenizer)
    ((*sweeps,),) = sweeper.sweeps(person[None], row[None], [[*ids, end]])
    heads = {s.place: s for s in sweeps if s.place % 2 == 0}
    assert heads[0].tokens.tolist() == [ids[0], tokenizer.convert_tokens_to_ids(codebook.of_edits(steps)[0].text)]
    assert heads[2].tokens.tolist() == [ids[2], ids[4], end]
    assert heads[4].tokens.tolist() == [ids[4], end]
    assert [(heads[p].worth > 0).tolist() for p in (0, 2, 4)] == [[True, False], [True] * 3, [True] * 2]
    gap = schema.gaps(row[None], person[None])[0]
    d = len(schema)
    every = gap.sum() / d
    assert heads[2].far.tolist() == pytest.approx([every, every - gap[steps] / d, gap[dose] / d])
    (values,) = [s for s in sweeps if s.place == 1]
    assert (values.worth > 0).sum() == 1
    assert values.tokens[values.worth > 0].tolist() == [ids[1]]
    assert sweeper.sweeps(person[None], np.full((1, d), np.nan), [[*ids, end]]) == [[]]


def test_a_verdict_does_not_depend_on_where_its_block_ends(task, monkeypatch):
    judge = Judge(task.schema, probability_of_target(task), 0.1)
    rows, people = task.train_matrix[:40].copy(), task.train_matrix[40:80]
    rows[::7] = np.nan
    whole = judge(rows, people)
    monkeypatch.setattr(judging, "AT_ONCE", 3)
    parts = judge(rows, people)
    assert 0 < (whole.worth > 0).sum() < len(rows)
    for what in ("worth", "far", "odds"):
        np.testing.assert_array_equal(getattr(parts, what), getattr(whole, what))
    assert not whole.worth[::7].any() and np.isinf(whole.odds[::7]).all()


def test_targets_are_swept_where_their_words_stand(task, monkeypatch, tmp_path):
    """What a fine-tuning is given: of each value of a target, what it would be worth with any other, in its place."""
    handed = []

    def fine_tune(loaded, examples, *_, **__):
        handed.extend([loaded, examples])
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "fine_tune", fine_tune)
    with pytest.raises(KeyboardInterrupt):
        Quick().fit(replace(task, cache=tmp_path))
    loaded, examples = handed
    makes = [choice for example in examples for choice in example.choices]
    assert len(makes) > len(examples)
    told = []
    for example in examples:
        for choice in example.choices:
            assert example.scored[choice.place]
            own = np.flatnonzero(choice.tokens == example.ids[choice.place])
            assert len(own) == 1
            told.append(choice.worth[own[0]])
            texts = loaded.tokenizer.convert_ids_to_tokens([int(t) for t in choice.tokens])
            kinds = {text.endswith("}") and not text.endswith("]}") for text in texts}
            assert len(kinds) == 1  # values among values, heads and ends among those
    assert np.mean(np.array(told) > 0) > 0.9  # the search confirmed them


def test_every_rule_of_practice_is_in_the_key_of_an_adapter(task, monkeypatch):
    recipe = Recipe()
    lesson = Lesson(task, None, None, None, TargetAims(), recipe, Exercise(recipe, PracticeAims()))
    before = json.dumps(lesson.course, sort_keys=True)
    for rule_ in ("format", "cheapest", "dearest", "sway", "lately", "nothing"):
        with monkeypatch.context() as patch:
            patch.setitem(RULES, rule_, -1)
            assert json.dumps(lesson.course, sort_keys=True) != before
