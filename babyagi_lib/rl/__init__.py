"""Reinforcement learning where the right answer is known. Used by lessons 06 and 07.

Read the modules in this order: `mdp` (a world as a table), `exact` (its optimal answer, computed from the table),
`tabular` (agents that do not see the table and learn by acting), `policy_gradients` (the exact gradient of a policy, and
its estimates), `policy_learning` (agents that follow such an estimate). Imports no torch.
"""
