"""Raw files of a synthetic cohort in the layout of AI-READI's releases 1, 2 and 3, with the release's quirks on demand."""
