"""The small library that every notebook of the course imports.

Read the modules in the order in which data flows through them: `sources` (where models and corpora come from),
`pretraining` (text made into a task), `tagging` (words to word pieces and back, and how tags are scored), `heads` and
`adapters` (layers added to the encoder), `losses` (binary cross-entropy, by hand), `training` (the loop), `fewshot` and
`incontext` (a few examples, for training or in a prompt), `rl` (learning from reward), `plots` and `explore` (the
figures), `measured` (how a notebook publishes its results). For the learner there are `checks` (which exercises call),
`quiz` (the questions at the end of a lesson), `journal` (the learner's file of solved exercises), `progress` (how many
are solved) and `widgets` (how quizzes and explorers are shown). `whole` writes a file whole or not at all, and
`strict_yaml` reads YAML files.
`babyagi_lib.course` is the course's command-line tool. Only lesson 0 imports it, to show what `babyagi doctor` finds.
Importing this package keeps PyTorch to this process's share of the processor (`threads`). It imports no other module.
"""

from babyagi_lib import threads as _threads

__version__ = "0.1.0"

_threads.limit()
