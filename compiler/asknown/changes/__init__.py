"""Compares two states of a project. Prints nothing and reads nothing."""
