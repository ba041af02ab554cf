"""AI-READI: from the release's raw files to a benchmark of counterfactuals of stress."""
