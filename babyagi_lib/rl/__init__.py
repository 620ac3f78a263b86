"""Reinforcement learning where the right answer is known. Used by lessons 06 and 09.

Read the modules in this order: `mdp` (a world as a table), `exact` (its optimal answer, computed from the table),
`tabular` (agents that do not see the table and learn by acting). None of these needs PyTorch. These do: `preferences`
(language models that learn from reward and from preferences), `estimates` (of a gradient, held against the exact one).
"""
