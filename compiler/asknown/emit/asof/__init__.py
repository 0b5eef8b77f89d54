"""As-of joins: the newest visible row of each moment."""
