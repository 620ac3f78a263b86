"""What answers the learner: checks of exercises, quizzes, progress, explorers, and the table at the end of a lesson.

`doctor` examines the machine. No other folder of the library imports this one. Imports no torch, but for the checks whose
exercises use it.
"""
