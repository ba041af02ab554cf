"""Training: LoRA adapters on answers that were found good, and small models from scratch.

encode(loaded, [(messages, answer), ...])                     # prompts as they are asked, answers to be learnt
fine_tune(loaded, examples, Recipe(), folder, validate=..., note=printer("llama-3.1-8b-ft"))
pretrain(loaded, [Example.whole(ids), ...], recipe, folder, validate=None, note=quiet)
"""
