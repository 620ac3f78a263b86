"""Small worlds that were written for this course, as tables: `help_desk`, `corridor`, `machine` and `probes`. Imports no torch."""
