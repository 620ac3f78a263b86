"""Reinforcement learning where the right answer is known. Used by lessons 06 to 09, 12 and 13.

Read the modules in this order: `mdp` (a world as a table), `exact` (its optimal answer, computed from the table),
`tabular` (agents that do not see the table and learn by acting), `policy_gradients` (the exact gradient of a policy, and
its estimates), `policy_learning` (agents that follow such an estimate). None of these needs PyTorch. These do: `replay`
(what agents have seen), `deep_q` (a network in place of the table), `ddpg` (actions that are numbers), `preferences`
(language models that learn from reward and from preferences), `estimates` (of a gradient, compared with the exact one),
`ppo` (PPO with a network, for agents in many rooms).

Acting in order to learn, and learning from what others did, also without PyTorch: `bandits` (two arms, the best rule and what
every rule loses), `exploring` (how long until a state is found), `off_policy` (what another policy would have earned).

What is hidden can be asked about: `belief_planning` (the exact answer), `belief_policies` (what to compare it with),
`constrained` (a limit on risk), all without PyTorch, and `belief_q` (Q-learning on beliefs), with it.
"""
