"""What a project's SQL gets wrong as far as its text and types decide: rules, one family a file."""
