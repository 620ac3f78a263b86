"""One turn of a conversation, as one transaction: what is written, what is decided, what is answered. Used by `server`.

While a conversation is open, the agent decides about each message of the customer. While it is in the queue, a colleague answers and the
agent is silent. Every method takes the name of its request: a request that comes again is answered again and not done again.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from babyagi_lib.agents.guard import Outcome
from babyagi_lib.apps.desk import answers as said
from babyagi_lib.apps.desk.answers import Answer
from babyagi_lib.apps.desk.calls import STOP_CARD, guard_of, stop_card
from babyagi_lib.apps.desk.policy import draw, propensities, reward
from babyagi_lib.apps.desk.store import Store
from babyagi_lib.apps.web import Refusal
from babyagi_lib.methods.decisions import ANSWER, ASK, Costs, ranked

NONE = "none"
HELPED, NOT_HELPED = "helped", "not_helped"
# These change the direction of what follows, so that a text reads other than it is.
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def cleaned(text: str) -> str:
    """A text without control characters other than line breaks and tabs, and without spaces around it.

    Raises:
        Refusal: 422; nothing is left.
    """
    kept = "".join(c for c in text if c in "\n\t" or (unicodedata.category(c) != "Cc" and c not in TURNING)).strip()
    if not kept:
        raise Refusal(422, "The message is empty.", "empty")
    return kept


@dataclass(frozen=True, eq=False)
class Talk:
    """What happens in conversations.

    Attributes:
        store: where it is written.
        answers: to each intent.
        classes: the names of the columns of probabilities: the intents, and perhaps one for messages outside of them.
        agent: the name of the agent's version, for the log.
        costs: of the acts.
        explore: the share of decisions in which the act is drawn at random.
        seed: of the draws; nobody outside may know it.
    """

    store: Store
    answers: dict[str, Answer]
    classes: list[str]
    agent: str
    costs: Costs
    explore: float
    seed: int

    def __post_init__(self) -> None:
        without = [name for name in self.classes if name not in self.answers]
        if len(without) > 1:
            raise ValueError(
                f"there is no answer to {', '.join(without)}; one class may be without, for all other messages"
            )

    @property
    def outside(self) -> int | None:
        """The column of messages that no answer fits."""
        return next((i for i, name in enumerate(self.classes) if name not in self.answers), None)

    # --- the customer ---------------------------------------------------------------------------------------------

    def say(self, conversation: int, request: str, text: str, probabilities: ArrayLike | None) -> dict[str, Any] | None:
        """The customer writes. Returns None if the agent must read the text first, that is, if `probabilities` is missing.

        Args:
            conversation: its number.
            request: the name that the client gave it.
            text: what the customer writes.
            probabilities: of the classes, (classes,), by the agent that has read the text.
        """

        def do() -> None:
            open_now = self.store.get(conversation).state == "open"
            message = self.store.add(conversation, "customer", text)
            if open_now:
                self._decide(conversation, request, message, probabilities)

        name = f"customer {request}"
        new = self.store.done(conversation, name) is None
        if new and probabilities is None and self.store.get(conversation).state == "open":
            return None
        return self._once(conversation, name, {"text": text}, do)

    def _decide(self, conversation: int, request: str, message: int, probabilities: ArrayLike) -> None:
        belief = [float(p) for p in probabilities]
        policy = propensities([belief], self.costs, self.outside, self.explore)[0]
        act = draw(policy, f"act {conversation} {request}", self.seed)
        best = [self.classes[i] for i in ranked([belief], self.outside)[0]]
        known = None
        if act == ANSWER:
            reply = self._answer(conversation, best[0])
        elif act == ASK:
            shown = [(name, self.answers[name].title) for name in best[: self.costs.shown]]
            reply = self.store.add(conversation, "agent", said.ASKED, (*shown, (NONE, said.NONE_OF_THESE)))
        else:
            known = reward(act, True, self.costs)
            reply = self._hand_over(conversation)
        decided = {"belief": belief, "policy": policy.tolist(), "act": act, "propensity": float(policy[act])}
        self.store.decide(conversation, message, reply, agent=self.agent, reward=known, **decided)

    def _answer(self, conversation: int, intent: str) -> int:
        options = [(HELPED, said.HELPED), (NOT_HELPED, said.NOT_HELPED)]
        if intent == "card_lost":
            options.insert(0, (STOP_CARD, said.STOP_CARD))
        return self.store.add(conversation, "agent", self.answers[intent].text, tuple(options))

    def _hand_over(self, conversation: int) -> int:
        self.store.move(conversation, "queued")
        return self.store.add(conversation, "agent", said.HANDED_OVER)

    def choose(self, conversation: int, request: str, message: int, choice: str) -> dict[str, Any]:
        """The customer presses a button under a message.

        Raises:
            Refusal: 409; the message has no such button any more.
        """

        def do() -> None:
            options = self.store.options(conversation, message)
            if choice not in options:
                raise Refusal(409, "This question is no longer open.", "not_open")
            self.store.add(conversation, "customer", options[choice])
            number, act = self.store.decision(message) or (None, None)
            asked = NONE in options
            if number is not None:
                truth = choice if asked and choice != NONE else None
                self.store.learn(number, reward(act, choice not in (NONE, NOT_HELPED), self.costs), truth)
            if choice in (NONE, NOT_HELPED):
                self._hand_over(conversation)
            elif choice == HELPED:
                self.store.add(conversation, "agent", said.GLAD)
            elif choice == STOP_CARD:
                self._ask_for_call(conversation)
            else:
                self._answer(conversation, choice)

        return self._once(conversation, f"customer {request}", {"message": message, "choice": choice}, do)

    def _ask_for_call(self, conversation: int) -> None:
        verdict = guard_of(conversation, len(self.store.calls(conversation))).decide(stop_card(conversation))
        if verdict.kind != "ask":
            self.store.add(conversation, "agent", f"{said.CARD_NOT_STOPPED} {verdict.reason}.")
            return
        self.store.ask_for(conversation, STOP_CARD, verdict.reason)
        self.store.move(conversation, "queued")
        self.store.add(conversation, "agent", said.STOP_CARD_ASKED)

    # --- the colleague --------------------------------------------------------------------------------------------

    def reply(self, conversation: int, request: str, text: str) -> dict[str, Any]:
        """A colleague writes to a customer."""
        return self._once(
            conversation,
            f"colleague {request}",
            {"text": text},
            lambda: self.store.add(conversation, "colleague", text),
        )

    def settle(self, conversation: int, request: str, call: int, approved: bool) -> dict[str, Any]:
        """A colleague says yes or no to a call that waits.

        Raises:
            Refusal: 409; no such call waits in this conversation.
        """

        def do() -> None:
            calls = self.store.calls(conversation)
            place = next((i for i, c in enumerate(calls) if c["id"] == call and c["state"] == "waiting"), None)
            if place is None:
                raise Refusal(409, "This call no longer waits.", "not_open")
            outcome: Outcome = guard_of(conversation, place, approved).run(
                stop_card(conversation), lambda asked: "done"
            )
            self.store.settle(call, "done" if outcome.answer else "refused")
            self.store.add(conversation, "colleague", said.CARD_STOPPED if outcome.answer else said.CARD_NOT_STOPPED)

        return self._once(conversation, f"colleague {request}", {"call": call, "approved": approved}, do)

    def close(self, conversation: int, request: str, intent: str | None) -> dict[str, Any]:
        """A colleague ends the conversation, and may say what it was about: for the log, from which an agent can learn."""

        def do() -> None:
            if any(call["state"] == "waiting" for call in self.store.calls(conversation)):
                raise Refusal(409, "Say yes or no to the call first.", "call_waits")
            if intent is not None:
                if intent not in self.classes:
                    raise Refusal(422, "There is no such intent.", "not_valid")
                self.store.truth(conversation, intent)
            self.store.move(conversation, "open")
            self.store.add(conversation, "agent", said.CLOSED)

        return self._once(conversation, f"colleague {request}", {"intent": intent}, do)

    # --- once -----------------------------------------------------------------------------------------------------

    def _once(self, conversation: int, name: str, asked: dict[str, Any], do: Callable[[], object]) -> dict[str, Any]:
        """Do something in a transaction unless it was done. Returns the messages since then, and the state.

        Raises:
            Refusal: 409; another request had this name.
        """
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()
        with self.store.transaction():
            before = self.store.done(conversation, name)
            if before is None:
                after = self.store.last(conversation)
                do()
                before = digest, {"after": after}
                self.store.keep(conversation, name, *before)
        if before[0] != digest:
            raise Refusal(409, "Another request had this name.", "name_taken")
        return self.view(conversation, before[1]["after"])

    def view(self, conversation: int, after: int = 0) -> dict[str, Any]:
        """What a customer sees: the messages with a number above `after`, and whether a colleague answers."""
        return {
            "messages": self.store.messages(conversation, after),
            "state": self.store.get(conversation).state,
        }
