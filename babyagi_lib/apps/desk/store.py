"""The desk's memory: one SQLite file. What `Store` has written when a transaction ends, no kill and no power cut takes away.

Used by `talk`, `server` and `log`. Imports no torch.

Write-ahead log and `synchronous=FULL`: a transaction has ended when it is on the disk. A client gets its answer after that, so what
was acknowledged is there after any restart. A client that got no answer sends its request once more with the same name, and the
store knows whether it was done (`requests`).

A conversation is known by a token that nobody can guess; the file has only its hash, so that reading the file does not open the
conversations of others in a browser.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1
SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT, token BLOB NOT NULL UNIQUE, started REAL NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'queued')), queued REAL
) STRICT;
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, conversation INTEGER NOT NULL REFERENCES conversations, at REAL NOT NULL,
    who TEXT NOT NULL CHECK (who IN ('customer', 'agent', 'colleague')), text TEXT NOT NULL, options TEXT NOT NULL
) STRICT;
CREATE INDEX messages_of ON messages (conversation, id);
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, conversation INTEGER NOT NULL REFERENCES conversations, at REAL NOT NULL,
    message INTEGER NOT NULL UNIQUE REFERENCES messages, reply INTEGER NOT NULL UNIQUE REFERENCES messages, agent TEXT NOT NULL,
    belief TEXT NOT NULL, policy TEXT NOT NULL, act INTEGER NOT NULL CHECK (act IN (0, 1, 2)),
    propensity REAL NOT NULL CHECK (propensity > 0 AND propensity <= 1), reward REAL, truth TEXT
) STRICT;
CREATE TABLE requests (
    conversation INTEGER NOT NULL REFERENCES conversations, name TEXT NOT NULL, digest BLOB NOT NULL, answer TEXT NOT NULL,
    PRIMARY KEY (conversation, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT, conversation INTEGER NOT NULL REFERENCES conversations, at REAL NOT NULL,
    tool TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'refused')), reason TEXT NOT NULL
) STRICT;
"""


class StoreError(RuntimeError):
    """A file that is no store of this version of the desk; the message says what to do."""


@dataclass(frozen=True)
class Conversation:
    """A conversation: its number, and whether the agent answers ("open") or a colleague ("queued")."""

    id: int
    state: str


def hashed(token: str) -> bytes:
    """What the store keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


class Store:
    """The file. A store is used by one thread at a time.

    Args:
        path: of the file; made if it is not there.

    Raises:
        StoreError: the file is no store, or one of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # isolation_level None: transactions begin where this class says so, and nowhere else
        self.db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
        self.db.row_factory = sqlite3.Row
        try:
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
            self.db.execute("PRAGMA foreign_keys=ON")
            with self.transaction():
                version = self.db.execute("PRAGMA user_version").fetchone()[0]
                tables = self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                if version == 0 and tables == 0:
                    for statement in SCHEMA.split(";\n"):
                        self.db.execute(statement)
                    self.db.execute(f"PRAGMA user_version={VERSION}")
                elif version != VERSION:
                    raise StoreError(f"{self.path} is no store of this desk; choose another folder")
        except sqlite3.DatabaseError as error:
            self.db.close()
            raise StoreError(f"{self.path} cannot be used as the store of the desk ({error})") from error
        except StoreError:
            self.db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written in the block is written together when it ends, or not at all after an error."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def setting(self, name: str, first: str) -> str:
        """A setting that stays the same for the life of the file: `first` if it has none yet."""
        with self.transaction():
            self.db.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, first))
            return self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()[0]

    # --- conversations and messages -------------------------------------------------------------------------------

    def start(self, welcome: str) -> str:
        """Begin a conversation with a message of the agent. Returns its token."""
        token = secrets.token_urlsafe(32)
        with self.transaction():
            row = self.db.execute(
                "INSERT INTO conversations (token, started, state) VALUES (?, ?, 'open')", (hashed(token), time.time())
            )
            self.add(row.lastrowid, "agent", welcome)
        return token

    def find(self, token: str) -> Conversation | None:
        """The conversation of a token."""
        row = self.db.execute("SELECT id, state FROM conversations WHERE token = ?", (hashed(token),)).fetchone()
        return row and Conversation(*row)

    def get(self, number: int) -> Conversation | None:
        """The conversation of a number."""
        row = self.db.execute("SELECT id, state FROM conversations WHERE id = ?", (number,)).fetchone()
        return row and Conversation(*row)

    def add(self, conversation: int, who: str, text: str, options: tuple[tuple[str, str], ...] = ()) -> int:
        """Add a message, in a transaction. Returns its number.

        Args:
            conversation: its number.
            who: "customer", "agent" or "colleague".
            text: of the message.
            options: the choices that the customer has: (name, label).
        """
        row = (conversation, time.time(), who, text, json.dumps(options))
        return self.db.execute(
            "INSERT INTO messages (conversation, at, who, text, options) VALUES (?, ?, ?, ?, ?)", row
        ).lastrowid

    def messages(self, conversation: int, after: int = 0) -> list[dict[str, Any]]:
        """The messages of a conversation with a number above `after`. Only the last one still has options."""
        last = self.last(conversation)
        rows = self.db.execute(
            "SELECT id, at, who, text, options FROM messages WHERE conversation = ? AND id > ? ORDER BY id",
            (conversation, after),
        )
        return [dict(row) | {"options": json.loads(row["options"]) if row["id"] == last else []} for row in rows]

    def last(self, conversation: int) -> int:
        """The number of the last message of a conversation."""
        query = "SELECT coalesce(max(id), 0) FROM messages WHERE conversation = ?"
        return self.db.execute(query, (conversation,)).fetchone()[0]

    def options(self, conversation: int, message: int) -> dict[str, str]:
        """The choices of a message, name to label: none if it is not the last of the conversation."""
        if message != self.last(conversation):
            return {}
        return dict(json.loads(self.db.execute("SELECT options FROM messages WHERE id = ?", (message,)).fetchone()[0]))

    def move(self, conversation: int, state: str) -> None:
        """Give a conversation to the queue ("queued") or back to the agent ("open"), in a transaction."""
        self.db.execute(
            "UPDATE conversations SET state = ?, queued = CASE WHEN ? = 'open' THEN NULL ELSE coalesce(queued, ?) END "
            "WHERE id = ?",
            (state, state, time.time(), conversation),
        )

    def queue(self, most: int = 100) -> list[dict[str, Any]]:
        """The conversations that wait for a colleague, the longest waiting first, with the last message of each."""
        rows = self.db.execute(
            "SELECT c.id, c.queued, m.who, m.text FROM conversations c JOIN messages m ON m.id = "
            "(SELECT max(id) FROM messages WHERE conversation = c.id) WHERE c.state = 'queued' ORDER BY c.queued, c.id LIMIT ?",
            (most,),
        )
        return [dict(row) for row in rows]

    # --- requests that may come twice -----------------------------------------------------------------------------

    def done(self, conversation: int, name: str) -> tuple[bytes, dict[str, Any]] | None:
        """What was answered to a request of this name, and the digest of what it asked; None if it was not done."""
        query = "SELECT digest, answer FROM requests WHERE conversation = ? AND name = ?"
        row = self.db.execute(query, (conversation, name)).fetchone()
        return row and (row["digest"], json.loads(row["answer"]))

    def keep(self, conversation: int, name: str, digest: bytes, answer: dict[str, Any]) -> None:
        """Remember what was answered to a request, in the transaction in which it is done."""
        row = (conversation, name, digest, json.dumps(answer))
        self.db.execute("INSERT INTO requests VALUES (?, ?, ?, ?)", row)

    # --- decisions ------------------------------------------------------------------------------------------------

    def decide(self, conversation: int, message: int, reply: int, **decided: Any) -> None:
        """Log a decision, in a transaction: agent, belief, policy (the probabilities of all acts), act and propensity."""
        row = (conversation, time.time(), message, reply, decided["agent"], json.dumps(decided["belief"]))
        row += (json.dumps(decided["policy"]), decided["act"], decided["propensity"], decided.get("reward"))
        self.db.execute(
            "INSERT INTO decisions (conversation, at, message, reply, agent, belief, policy, act, propensity, reward) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    def decision(self, reply: int) -> tuple[int, int] | None:
        """The number and the act of the decision that a message of the agent came from."""
        row = self.db.execute("SELECT id, act FROM decisions WHERE reply = ?", (reply,)).fetchone()
        return row and tuple(row)

    def learn(self, decision: int, reward: float, truth: str | None = None) -> None:
        """Add to a decision what it earned, and what the customer wanted if that is known, in a transaction."""
        self.db.execute(
            "UPDATE decisions SET reward = ?, truth = coalesce(?, truth) WHERE id = ?", (reward, truth, decision)
        )

    def truth(self, conversation: int, intent: str) -> None:
        """What the customer wanted with the last message that was decided about, as a colleague says."""
        self.db.execute(
            "UPDATE decisions SET truth = ? WHERE id = (SELECT max(id) FROM decisions WHERE conversation = ?)",
            (intent, conversation),
        )

    # --- calls ----------------------------------------------------------------------------------------------------

    def calls(self, conversation: int) -> list[dict[str, Any]]:
        """The calls of a conversation: id, tool, state and the reason why a person is needed."""
        query = "SELECT id, tool, state, reason FROM calls WHERE conversation = ? ORDER BY id"
        return [dict(row) for row in self.db.execute(query, (conversation,))]

    def ask_for(self, conversation: int, tool: str, reason: str) -> None:
        """Add a call that waits for a person, in a transaction."""
        row = (conversation, time.time(), tool, reason)
        self.db.execute("INSERT INTO calls (conversation, at, tool, state, reason) VALUES (?, ?, ?, 'waiting', ?)", row)

    def settle(self, call: int, state: str) -> None:
        """Mark a call as "done" or "refused", in a transaction."""
        self.db.execute("UPDATE calls SET state = ? WHERE id = ?", (state, call))
