"""A help desk as a Markov decision process: which reply to give, and when to ask back first. Used by lesson 06.

Everything about the customer is invented: the probability that a reply satisfies, the rewards, the patience. The names
of the intents are those of the corpus support_intents. The method is the usual one: the world is a table, so its optimum
is known, and `tabular.learn` learns in it. Imports no torch.

The agent does not see the customer's intent. It sees the output of a classifier of messages, which is wrong at a given
rate. It can reply at once, hand over to a person, or ask back. After that the customer writes a second, clearer message,
the classifier reads it too, and the agent has both outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number
from babyagi_lib.rl.mdp import MDP

INTENTS = ("card_lost", "card_not_arrived", "card_declined", "pin_forgotten")
REPLIES = (
    "Your card is blocked. A new one is on its way.",
    "Your card is in the post. Here is where it is.",
    "The payment was refused for this reason.",
    "Here is how to set a new PIN.",
    "Could you tell me a little more?",
    "I am handing you over to a colleague.",
)
ASK, HAND_OVER = 4, 5

SATISFIED = 0.9  # probability, if the reply fits what the customer wants
SATISFIED_ANYWAY = 0.05  # and if it does not
ASKING_COSTS = 0.1
ASKED_TWICE = -0.5  # the customer leaves
HANDED_OVER = 0.3  # the problem is solved, but a colleague's time has a cost
CLEARER = 0.5  # a second message is misread at this fraction of the rate of the first


@dataclass(frozen=True, eq=False)
class HelpDesk:
    """The world and the meaning of its states.

    States 0 to 3: the classifier's intent for the first message. State 4 + 4·first + second: the agent has asked back,
    and these are the classifier's intents for both messages. The last state is the end of the conversation.

    Attributes:
        mdp: the table. The reward is +1 for a satisfied customer and -1 for an annoyed one; the constants above give the
            other rewards and costs.
        belief: probability of each intent in each state, by Bayes' rule, (states, intents).
    """

    mdp: MDP
    belief: NDArray

    def state_name(self, state: int) -> str:
        """What the agent has read in a state, such as `card_lost, then pin_forgotten`."""
        n = len(INTENTS)
        if state < n:
            return INTENTS[state]
        if state < n + n * n:
            return f"{INTENTS[(state - n) // n]}, then {INTENTS[(state - n) % n]}"
        return "the end"


def help_desk(confusion: float) -> HelpDesk:
    """The table for a classifier that misreads a share `confusion` of first messages; all wrong intents equally likely.

    Raises:
        ValueError: confusion is not a number from 0 to 1.
    """
    check_number("confusion", confusion, 0, 1)
    n = len(INTENTS)

    def reading(rate: float) -> NDArray:
        """P(said | wanted), (wanted, said)."""
        return np.where(np.eye(n, dtype=bool), 1 - rate, rate / (n - 1))

    first, second = reading(confusion), reading(confusion * CLEARER)
    wanted_and_first = first.T / n  # all intents equally likely; (first, wanted)
    wanted_and_both = (wanted_and_first[:, None, :] * second.T[None, :, :]).reshape(n * n, n)
    joint = np.concatenate([wanted_and_first, wanted_and_both, np.full((1, n), 1 / n)])
    total = joint.sum(axis=1, keepdims=True)
    belief = np.divide(joint, total, out=np.full_like(joint, 1 / n), where=total > 0)

    states, end = len(joint), len(joint) - 1
    shape = (states, len(REPLIES), n)
    probability, reward = np.zeros(shape), np.zeros(shape)
    next_state, terminated = np.full(shape, end), np.ones(shape, dtype=bool)
    satisfied = SATISFIED_ANYWAY + (SATISFIED - SATISFIED_ANYWAY) * belief
    probability[:, :n, 0], reward[:, :n, 0] = satisfied, 1.0
    probability[:, :n, 1], reward[:, :n, 1] = 1 - satisfied, -1.0
    probability[:, HAND_OVER, 0], reward[:, HAND_OVER, 0] = 1.0, HANDED_OVER
    probability[n:, ASK, 0], reward[n:, ASK, 0] = 1.0, ASKED_TWICE
    # Asking back after a first message leads to a second, read by the same rule.
    probability[:n, ASK] = belief[:n] @ second
    reward[:n, ASK] = -ASKING_COSTS
    next_state[:n, ASK] = n + n * np.arange(n)[:, None] + np.arange(n)
    terminated[:n, ASK] = False
    start = np.zeros(states)
    start[:n] = wanted_and_first.sum(axis=1)
    return HelpDesk(
        MDP(f"help desk, {confusion:.0%} misread", probability, next_state, reward, terminated, start), belief
    )
