"""What an exercise calls: `checks.alignment(align)` says in words whether an answer is right. Used by every notebook.

A check runs the learner's function on cases with a known answer and returns a `Verdict`, which the notebook shows.
A right answer counts as the learner's, unless the call says that it is the course's: `checks.alignment(align, solution=True)`.
A stub that still raises NotImplementedError is "not attempted yet". For a wrong answer the message names the mistake.
Every check is itself tested: it accepts right answers of many kinds, and refuses wrong ones with the right message.

There is a module for each lesson's checks, with the lesson's name. `answers` reads what a learner's function returned,
`modules` what the checks of PyTorch modules share, `limit` stops what takes too long, and `verdict` turns a function that
finds mistakes into a check.
"""
