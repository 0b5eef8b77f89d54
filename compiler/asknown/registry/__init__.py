"""The registry: what was applied, by whom, in which version."""
