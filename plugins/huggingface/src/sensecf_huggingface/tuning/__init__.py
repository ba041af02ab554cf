"""Training: LoRA adapters on answers that were found good, and small models from scratch."""
