"""Tests of a project: what unit tests, data tests and freshness say, from rows that were read."""
