"""The row expressions that models may hold: which have the same value everywhere, and how they are stored."""
