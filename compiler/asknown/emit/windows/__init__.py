"""Trailing windows: aggregates over the rows in frames that end at each moment."""
