"""`llama-micro` as its sisters come from the hub: pretrained, on disk, found again by what decided it."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_huggingface.checkpoint import Checkpoint, find
from sensecf_huggingface.locks import alone
from sensecf_huggingface.micro.architecture import HEADS, HIDDEN, INNER, LAYERS, SPREAD, new_model
from sensecf_huggingface.micro.codebook import ENDING, PROBABILITIES, Codebook
from sensecf_huggingface.micro.tokenizer import make_tokenizer
from sensecf_huggingface.targets.people import imagined
from sensecf_huggingface.tuning.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema
    from sensecf_huggingface.questions import Questions

    Matrix = NDArray[np.float64]

FORMAT = 3  # of what is trained here; a change that moves weights counts it up
PEOPLE = 4800  # imagined, to pretrain on
NEXT_EDIT = 0.5  # chance that one more feature is edited
PRETRAINING = Recipe(
    learning_rate=3e-3, warmup=0.05, steps=120, batch=40, microbatch=40, gradient_checkpointing=False, share_prefix=False,
    patience=None, checkpoint_seconds=60.0,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Lessons:
    """What there is to pretrain on: the training rows of one table, internal coding, shape `(n, d)`. No labels."""

    questions: Questions
    codebook: Codebook
    train: Matrix
    seed: int

    @property
    def key(self) -> str:
        """Names what comes of it: rows, schema, wording, seed and recipe decide."""
        shape = [FORMAT, HIDDEN, LAYERS, HEADS, INNER, SPREAD, PEOPLE, PRETRAINING.identity()]
        prompt = self.questions.prompt
        said = [self.codebook.schema.fingerprint, prompt.template.digest, prompt.brief.wanted, prompt.brief.unwanted]
        digest = hashlib.sha256(json.dumps([shape, said, self.questions.confidence, self.seed]).encode())
        for array in (self.train, *self.codebook.values.choices):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:32]


def pretrained(cache: Path, lessons: Lessons) -> Checkpoint:
    """The checkpoint that these lessons make, trained now if nobody has. Other processes wait for the one that trains it."""
    home, key = cache / "huggingface", lessons.key
    place = home / "micro" / key
    if not place.is_dir():
        with alone(home / "locks" / f"{key}.lock", "llama-micro for this dataset"):
            if not place.is_dir():
                _train(lessons, home / "training" / key, place)
    return replace(find(str(place)), name="llama-micro")


def edits(
    schema: FeatureSchema, codebook: Codebook, people: Matrix, others: Matrix, chance: np.random.Generator
) -> Matrix:
    """`people` with a few of their features, by chance, as other people have them; what may not change stays."""
    rows = people.copy()
    mutable = np.flatnonzero(schema.mutable)
    given = codebook.values.snapped(others)
    for row, other in zip(rows, given, strict=True):
        n = min(int(chance.geometric(NEXT_EDIT)), len(mutable))
        chosen = chance.choice(mutable, n, replace=False)
        row[chosen] = other[chosen]
    for j, feature in enumerate(schema.features):
        wrong = {"increase": rows[:, j] < people[:, j], "decrease": rows[:, j] > people[:, j]}.get(feature.direction)
        if wrong is not None:
            rows[wrong, j] = people[wrong, j]
    return rows


def _train(lessons: Lessons, folder: Path, place: Path) -> None:
    from sensecf_huggingface.loaded import load
    from sensecf_huggingface.tuning.progress import printer
    from sensecf_huggingface.tuning.training import pretrain

    raw = folder / "untrained"
    if not (raw / "config.json").exists():
        _write_untrained(lessons, raw)
    loaded = load(replace(find(str(raw)), name="llama-micro"), device="cpu", dtype="float32")
    examples = _examples(lessons, loaded)
    recipe = replace(PRETRAINING, seed=lessons.seed)
    pretrain(loaded, examples, recipe, folder, validate=None, note=printer("llama-micro, pretraining"))
    done = folder / "whole"
    shutil.rmtree(done, ignore_errors=True)
    loaded.model.save_pretrained(done)
    loaded.tokenizer.save_pretrained(done)
    place.parent.mkdir(parents=True, exist_ok=True)
    done.replace(place)
    shutil.rmtree(folder, ignore_errors=True)


def _write_untrained(lessons: Lessons, folder: Path) -> None:
    tokenizer = tokenizer_for(lessons)
    longest = 4 * len(lessons.codebook.schema) + 64
    model = new_model(tokenizer, lessons.codebook.words(), longest, lessons.seed)
    aside = folder.with_name("untrained.unfinished")
    shutil.rmtree(aside, ignore_errors=True)
    model.save_pretrained(aside)
    tokenizer.save_pretrained(aside)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def tokenizer_for(lessons: Lessons) -> Any:
    """The tokenizer of all that these lessons can say."""
    asked = lessons.questions.messages(lessons.train[:1], np.array([0.25]))[0][-1]["content"]
    return make_tokenizer(lessons.codebook.words(), [asked, ENDING])


def _examples(lessons: Lessons, loaded: Any) -> list[Any]:
    from sensecf_huggingface.tuning.examples import Example, encode

    chance = np.random.default_rng([lessons.seed, FORMAT])
    schema, codebook = lessons.codebook.schema, lessons.codebook
    people = imagined(schema, lessons.train, PEOPLE, chance)
    others = imagined(schema, lessons.train, len(people), chance)
    said = codebook.spoken(people)
    edited = edits(schema, codebook, said, others, chance)
    real = (schema.changed(edited, said).any(axis=1)) & schema.keeps(edited)
    guesses = np.array([float(p) for p in PROBABILITIES])[chance.integers(len(PROBABILITIES), size=len(people))]
    asked = lessons.questions.messages(people[real], guesses[real])
    answers = lessons.questions.answers(said[real], edited[real])
    return [Example.whole(example.ids) for example in encode(loaded, zip(asked, answers, strict=True))]
