"""What an answer may say, as a grammar: edits of a row that break none of the schema's rules."""

from __future__ import annotations

from sensecf_huggingface.grammar.edits import EditGrammar, edit_list_grammar

__all__ = ["EditGrammar", "edit_list_grammar"]
