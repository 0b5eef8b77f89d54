"""The catalog: every model by name, in the order that their references ask for."""
