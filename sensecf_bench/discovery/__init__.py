"""How plugins are found and tried: sources, a rehearsal in a process that may die of it, and what came of each."""
