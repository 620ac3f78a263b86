"""The small library that every notebook of the course imports.

Read the modules in the order data flows through them: `sources` (where models and corpora come from),
`pretraining` (text made into a task), `tagging` (words to word pieces and back, and how tags are scored), `heads` and
`adapters` (what is put on the encoder), `losses` (binary cross-entropy, by hand), `training` (the loop), `fewshot` and
`incontext` (a few examples, learned from or read as a prompt), `rl` (learning from reward), `plots` and `explore` (the
figures), `measured` (how a notebook publishes its figures). For the learner there are `checks` (what an exercise calls),
`quiz` (the questions at a lesson's end), `journal` (what was solved, in a file of their own), `progress` (how far that
is) and `widgets` (how quizzes and explorers are shown); `whole` writes a file whole or not at all.
`babyagi_lib.course` is the course's own command-line tool and is not needed to learn.
Importing this package keeps PyTorch to this process's share of the processor (`threads`), and imports nothing else: every
module is imported where it is used.
"""

from babyagi_lib import threads as _threads

__version__ = "0.1.0"

_threads.limit()
