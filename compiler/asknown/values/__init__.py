"""Exact arithmetic, orders, aggregates and expressions over Python values, with the standard library alone.

Every backend of the online table computes with these, and so gives what the training query gives, to the bit.
"""
