"""Reinforcement learning where the right answer is known. Used by lessons 06 and 08.

Read the modules in this order: `mdp` (a world as a table), `exact` (its optimal answer, computed from the table),
`tabular` (agents that do not see the table and learn by acting). None of these needs PyTorch. These do: `replay` (what
agents have seen), `deep_q` (a network in place of the table), `ddpg` (actions that are numbers).
"""
