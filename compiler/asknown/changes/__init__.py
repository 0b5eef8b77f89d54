"""What differs between two states of a project: pure comparison, nothing printed and nothing read."""
