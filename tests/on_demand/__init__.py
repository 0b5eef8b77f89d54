"""Tests of on-demand views. A package, because bench/on_demand.py has the same name."""
