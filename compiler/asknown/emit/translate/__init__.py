"""Translates models from their author's dialect into that of another engine."""
