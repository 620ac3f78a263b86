"""The one thing that the desk can change, stopping a card, and the guard of lesson 14 before it. Used by `talk`.

Imports no torch. The agent has no words in this: a call is asked for when the customer presses the button for it, whatever the messages
say, and it names the customer's own conversation. As a stopped card cannot be used again, the guard wants a colleague's yes each time. A tool
without a rule, such as a refund, is refused. The bank is invented, so the call only writes that it was made.
"""

from __future__ import annotations

from dataclasses import replace

from babyagi_lib.agents.guard import Guard, Policy, Rule
from babyagi_lib.worlds.tool_sandbox import Call, call

STOP_CARD = "stop_card"
POLICY = Policy({STOP_CARD: Rule(fee=0, effect=True, final=True)}, steps=3, cents=0, seconds=60.0)


def stop_card(conversation: int) -> Call:
    """The call that stops the card of the customer in a conversation."""
    return call(STOP_CARD, conversation=conversation)


def guard_of(conversation: int, made: int, approved: bool = False) -> Guard:
    """The guard before the calls of a conversation.

    Args:
        conversation: its number. Its customer has asked to stop the card, and nothing else.
        made: the calls that it has had, which count for the budget.
        approved: what the colleague says.
    """
    guard = Guard(POLICY, approve=lambda asked, reason: approved)
    guard.state = replace(guard.state, steps=made)
    guard.begin("the button", [stop_card(conversation)])
    return guard
