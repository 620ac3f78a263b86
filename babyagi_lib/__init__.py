"""The library that the notebooks of the course import.

Its folders, in the order in which data flows through them; a folder imports only from those before it:

- `basics`: argument checks, random streams, threads, files written whole. Knows nothing of models.
- `sources`: where models and corpora come from, checked by hash.
- `text`: words to pieces and back; tags of names and their scores.
- `models`: heads and adapters, and how they are saved.
- `training`: the loop, its batches, losses, and prediction.
- `methods`: pretraining, few-shot learning, in-context learning.
- `rl`: worlds as tables, their exact solution, and agents that learn by acting.
- `worlds`: the worlds that were written for this course.
- `agents`: agents put together from trained parts: one that sorts, one that replaces itself, one with tools and a guard.
- `apps`: what Part III starts, serves or runs.
- `figures`: the figures of the lessons.
- `learner`: what answers the learner: checks of exercises, quizzes, progress, explorers, the table at a lesson's end.

A lesson has one name, such as `06_q_learning`. Its notebook and its quiz carry that name, its modules in `figures` and
`learner/checks` carry it without the number, since a name in Python cannot begin with one.

Importing this package keeps PyTorch to this process's share of the processor (`basics.threads`), and imports nothing else.
"""

from babyagi_lib.basics import threads as _threads

__version__ = "0.1.0"

_threads.limit()
