"""`llama-micro`: a LLaMA of under a million parameters that is trained here, on the training rows of one dataset.

It exists to put the whole pipeline of its sisters of 7 and 8 billion parameters (prompt, grammar, LoRA, adapter) to work on
any machine. It knows one table and no language.
"""
