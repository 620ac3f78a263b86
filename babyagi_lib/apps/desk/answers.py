"""What the help desk says: one answer for each intent, and its own sentences. Used by `talk` and `server`. Imports no torch."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from babyagi_lib.sources.integrity import check_manifest, data_folder

WELCOME = (
    "Hello! What can we do for you? An automatic agent reads your message first, and a colleague when it is not sure."
)
ASKED = "I am not sure that I understand. Which of these is it about?"
NONE_OF_THESE = "None of these"
HANDED_OVER = "I am handing you over to a colleague, who answers here. You can go on writing."
HELPED, NOT_HELPED = "That helped", "That did not help"
GLAD = "I am glad. Write again whenever you need something."
STOP_CARD = "Stop my card"
STOP_CARD_ASKED = "I have asked a colleague to stop your card. You will see it here."
CARD_STOPPED = "Your card is stopped. It can no longer be used, by anybody."
CARD_NOT_STOPPED = "The card was not stopped."
CLOSED = "The colleague has ended this conversation. Write again whenever you need something."


@dataclass(frozen=True)
class Answer:
    """What the desk says about one intent: the title that a customer can choose, and the answer."""

    title: str
    text: str


def load_answers() -> dict[str, Answer]:
    """The answer to each intent of support_intents.

    Raises:
        SourceError: the file is missing, or is not the published one.
    """
    folder = data_folder() / "support_intents"
    check_manifest(folder)
    with (folder / "answers.csv").open(encoding="utf-8", newline="") as file:
        return {row["category"]: Answer(row["title"], row["answer"]) for row in csv.DictReader(file)}
