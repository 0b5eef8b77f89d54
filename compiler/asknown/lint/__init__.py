"""Rules about a project's SQL that its text and types alone decide, one family a file."""
