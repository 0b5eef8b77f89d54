"""Models and feature views, read from the tree of their SQL."""
