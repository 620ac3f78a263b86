"""Reinforcement learning where the right answer is known. Used by lesson 06.

Read the modules in this order: `mdp` (a world as a table), `exact` (its optimal answer, computed from the table),
`tabular` (agents that do not see the table and learn by acting). Imports no torch.
"""
