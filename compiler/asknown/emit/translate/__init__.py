"""Models written in another dialect than their author's."""
