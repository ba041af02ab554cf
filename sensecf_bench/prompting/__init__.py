"""Asking a language model for counterfactuals: a schema becomes a prompt and a JSON schema, an answer becomes a row.

brief = Brief.of(task.schema, task.classes, task.target, task.train_matrix, task.train_labels)
prompt = Prompt.of(brief, "edits")
prompt.messages(query.row)          # ask
prompt.json_schema()                # what to constrain the answer to
prompt.parse(text, query.row).row   # the proposed row, or Unparsable
"""

from __future__ import annotations

from sensecf_bench.prompting.answer_format import AnswerFormat, Style
from sensecf_bench.prompting.brief import Brief
from sensecf_bench.prompting.parsing import Proposal, Unparsable, parse_answer
from sensecf_bench.prompting.prompt import Message, Prompt
from sensecf_bench.prompting.shots import Shot, choose_shots
from sensecf_bench.prompting.wording import TEMPLATES, Template, template_for
from sensecf_bench.prompting.writing import answer_text, row_text

__all__ = [
    "TEMPLATES",
    "AnswerFormat",
    "Brief",
    "Message",
    "Prompt",
    "Proposal",
    "Shot",
    "Style",
    "Template",
    "Unparsable",
    "answer_text",
    "choose_shots",
    "parse_answer",
    "row_text",
    "template_for",
]
