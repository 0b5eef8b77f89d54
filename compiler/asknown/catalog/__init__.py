"""The catalog: every model by name, in the order of their references."""
