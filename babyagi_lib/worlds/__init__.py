"""Small worlds that were written for this course, as tables: `help_desk`. Imports no torch."""
