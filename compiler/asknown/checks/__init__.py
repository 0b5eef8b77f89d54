"""Checks of a project on rows: unit tests, data tests, freshness, audits, comparisons and profiles."""
