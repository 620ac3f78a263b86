"""Small worlds that were written for this course.

As tables: `help_desk`, `corridor`, `chain`, `machine` and `probes`. With states that are numbers, many worlds side by side:
`conveyor`, `pendulum`. Rooms with instructions, as arrays: `fetch` and the modules that begin with its name.
"""
