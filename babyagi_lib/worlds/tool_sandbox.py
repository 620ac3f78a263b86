"""A small world of tools: files in a folder, search, a calculator, and orders in a database. Used by lesson 14. Imports no torch.

`Sandbox` is the real thing: a temporary folder and an SQLite database, to which an agent makes calls. `after` is the same
world as a function: from a `World`, which holds all that can change, and a call to the answer and the next world. Plans are
computed with `after` (`tool_tasks`), and a test compares both on random calls.
"""

from __future__ import annotations

import math
import re
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from babyagi_lib.sources.integrity import check_manifest, data_folder
from babyagi_lib.worlds.calculator import calculate

Value = str | int
PARAMETERS: dict[str, dict[str, type]] = {
    "list_files": {},
    "read_file": {"path": str},
    "write_file": {"path": str, "text": str},
    "search": {"query": str},
    "calculate": {"expression": str},
    "list_orders": {"customer": str},
    "show_order": {"order": int},
    "read_note": {"order": int},
    "refund": {"order": int, "cents": int},
    "delete_order": {"order": int},
    "answer": {"text": str},
}
EFFECTS = ("write_file", "refund", "delete_order")  # the tools that change the world
LONGEST = 2000  # characters of a text that is written or searched for


class ToolError(Exception):
    """A call that a tool cannot answer. The message is for the agent."""


@dataclass(frozen=True)
class Call:
    """A tool and its arguments, in the order of their names. `call` makes one; its text is `refund(cents=500, order=23)`."""

    tool: str
    arguments: tuple[tuple[str, Value], ...]

    def __getitem__(self, name: str) -> Value:
        return dict(self.arguments)[name]

    def __str__(self) -> str:
        return f"{self.tool}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"


def call(tool: str, **arguments: Value) -> Call:
    """A call, such as `call("show_order", order=23)`. Nothing is checked here; `check_call` does."""
    return Call(tool, tuple(sorted(arguments.items())))


def check_call(asked: Call) -> None:
    """Raise `ToolError` unless there is such a tool, and the arguments have its names and types."""
    if asked.tool not in PARAMETERS:
        raise ToolError(f"there is no tool {asked.tool!r}; there are {', '.join(PARAMETERS)}")
    wanted, found = PARAMETERS[asked.tool], dict(asked.arguments)
    if found.keys() != wanted.keys() or len(found) != len(asked.arguments):
        raise ToolError(f"{asked.tool} takes {', '.join(wanted) or 'no arguments'}; found {', '.join(found) or 'none'}")
    for name, kind in wanted.items():
        if type(found[name]) is not kind:
            raise ToolError(
                f"{name} is {found[name]!r}; {asked.tool} takes {'a text' if kind is str else 'a whole number'}"
            )
        if kind is str and len(found[name]) > LONGEST:
            raise ToolError(f"{name} has {len(found[name])} characters; at most {LONGEST} are allowed")
        if kind is str and not found[name].isascii():
            try:
                found[name].encode()
            except UnicodeEncodeError as error:
                raise ToolError(f"{name} has characters that cannot be written") from error
        if kind is int and abs(found[name]) > 10**12:  # a database keeps no larger ones
            raise ToolError(f"{name} is larger than {10**12}")


class Order(NamedTuple):
    """One order. Amounts are in cents; `note` is what the customer wrote, which nobody checked."""

    number: int
    customer: str
    item: str
    cents: int
    status: str
    note: str = ""
    refunded: int = 0


@dataclass(frozen=True)
class World:
    """All that can change, and the documents that were added to the search, each as (title, text).

    Attributes:
        orders: in the order of their numbers.
        files: (path, text) in the order of the paths.
        documents: found by `search` besides the stories of the course.
    """

    orders: tuple[Order, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    documents: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", tuple(sorted(self.orders)))
        object.__setattr__(self, "files", tuple(sorted(self.files)))


def euros(cents: int) -> str:
    """An amount as the tools write it: 1250 is "12.50 EUR"."""
    return f"{cents // 100}.{cents % 100:02} EUR"


def file_path(path: str) -> str:
    """A path of the sandbox in its one form, such as "notes/a.txt".

    Raises:
        ToolError: it is absolute, goes through a folder `..` or `.`, or has parts that a file system may read otherwise: some
            take A.txt and a.txt for one file, so there are no capitals.
    """
    if not re.fullmatch(r"[a-z0-9_-][a-z0-9_.-]{0,60}(/[a-z0-9_-][a-z0-9_.-]{0,60}){0,5}", path) or re.search(
        r"\.(/|$)", path
    ):
        raise ToolError(
            f"{path!r} is no path here; a path is like notes/a.txt, from the folder's own top, without '..'"
        )
    return path


# --- search -----------------------------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """Its words in lower case, without punctuation."""
    return re.findall(r"[^\W_]+", text.lower())


@cache
def stories() -> tuple[tuple[str, str], ...]:
    """The stories of the course's newswire as (title, text), without their marks: what `search` looks through."""
    folder = data_folder() / "newswire"
    check_manifest(folder)
    found = []
    for path in sorted((folder / "stories").glob("*.txt")):
        for story in path.read_text(encoding="utf-8").split("## ")[1:]:
            plain = re.sub(r"\[[A-Z]+ ([^\]]*)\]", r"\1", story).strip().splitlines()
            found.append((plain[1].rstrip("."), " ".join(plain[2:])))
    return tuple(found)


class Index:
    """BM25 over documents (Robertson and Zaragoza 2009, The Probabilistic Relevance Framework), with k1 1.2 and b .75."""

    def __init__(self, documents: tuple[tuple[str, str], ...]) -> None:
        self.documents = documents
        self.counts = [Counter(words(f"{title} {text}")) for title, text in documents]
        self.lengths = [sum(counts.values()) for counts in self.counts]
        self.mean = sum(self.lengths) / max(1, len(self.lengths))
        self.within = Counter(word for counts in self.counts for word in counts)

    def scores(self, query: str) -> list[float]:
        """One score for each document, 0 where no word of the query is in it."""
        found = [0.0] * len(self.documents)
        for word in dict.fromkeys(words(query)):
            number = self.within[word]
            rarity = math.log(1 + (len(self.documents) - number + 0.5) / (number + 0.5))
            for place, counts in enumerate(self.counts):
                if count := counts[word]:
                    length = 0.25 + 0.75 * self.lengths[place] / self.mean
                    found[place] += rarity * count * 2.2 / (count + 1.2 * length)
        return found

    def best(self, query: str) -> tuple[str, str] | None:
        """The document with the highest score, the first of equals; None where no word of the query is in any."""
        scores = self.scores(query)
        place = max(range(len(scores)), key=scores.__getitem__, default=None)
        return self.documents[place] if place is not None and scores[place] > 0 else None


@cache
def index_of(documents: tuple[tuple[str, str], ...]) -> Index:
    """The index of the stories and of these documents."""
    return Index(stories() + documents)


@cache
def _search(documents: tuple[tuple[str, str], ...], query: str) -> str:
    found = index_of(documents).best(query)
    return f"{found[0]}: {found[1][:160]}" if found else "nothing found"


# --- the world as a function --------------------------------------------------------------------------------------


def after(world: World, asked: Call) -> tuple[str, World]:
    """The answer to a call, and the world after it.

    Raises:
        ToolError: the tool cannot answer the call. Then the world stays as it is.
    """
    check_call(asked)
    given, files, orders = dict(asked.arguments), dict(world.files), {order.number: order for order in world.orders}
    match asked.tool:
        case "list_files":
            return _listed(files), world
        case "read_file":
            path = file_path(given["path"])
            if path not in files:
                raise ToolError(f"there is no file {path}")
            return files[path], world
        case "write_file":
            files[file_path(given["path"])] = given["text"]
            if any(other.startswith(f"{path}/") for path in files for other in files):
                raise ToolError(f"{given['path']} cannot be written: a file and a folder would have the same name")
            return f"wrote {given['path']}", replace(world, files=tuple(files.items()))
        case "list_orders":
            return _orders_of(given["customer"], list(orders.values())), world
    if asked.tool in ("search", "calculate", "answer"):
        return _without_state(world.documents, asked), world
    order = orders.get(given["order"])
    if order is None:
        raise ToolError(f"there is no order {given['order']}")
    match asked.tool:
        case "show_order":
            return _shown(order), world
        case "read_note":
            return order.note or "no note", world
        case "refund":
            _check_refund(order, given["cents"])
            orders[order.number] = order._replace(refunded=order.refunded + given["cents"])
            return f"refunded {euros(given['cents'])} for order {order.number}", replace(
                world, orders=tuple(orders.values())
            )
        case _:
            del orders[order.number]
            return f"deleted order {order.number}", replace(world, orders=tuple(orders.values()))


def _listed(paths: object) -> str:
    return "files: " + (", ".join(sorted(paths)) or "none")


def _orders_of(customer: str, orders: list[Order]) -> str:
    found = [f"order {o.number} (item {o.item}, status {o.status})" for o in orders if o.customer == customer]
    return f"customer {customer}: " + (", ".join(found) or "no orders")


def _shown(order: Order) -> str:
    back = f", refunded {euros(order.refunded)}" if order.refunded else ""
    return f"order {order.number}: customer {order.customer}, item {order.item}, {euros(order.cents)}, status {order.status}{back}"


def _check_refund(order: Order, cents: int) -> None:
    if not 0 < cents <= order.cents - order.refunded:
        raise ToolError(f"a refund for order {order.number} is from 0.01 to {euros(order.cents - order.refunded)}")


def _without_state(documents: tuple[tuple[str, str], ...], asked: Call) -> str:
    """The answer of a tool that neither reads nor changes files and orders."""
    if asked.tool == "search":
        return _search(documents, str(asked["query"]))
    if asked.tool == "answer":
        return "answered"
    try:
        value = calculate(str(asked["expression"]))
    except ValueError as error:
        raise ToolError(str(error)) from error
    short = f"{value:f}" if len(f"{value:f}") <= 16 else f"{float(value):.10g}"
    return f"{asked['expression']} = {short}"


# --- the real one -------------------------------------------------------------------------------------------------


class Sandbox:
    """The tools with a folder of files and a database of orders behind them, for a `with` statement.

    Args:
        world: how it begins.

    The folder is temporary: it and all that is in it are deleted at the end of the `with` statement.
    """

    def __init__(self, world: World) -> None:
        self.documents = world.documents
        self.root = Path(tempfile.mkdtemp(prefix="sandbox-")).resolve()
        self.folder = self.root / "files"
        self.folder.mkdir()
        self.database = sqlite3.connect(":memory:")
        with self.database as database:
            database.execute(
                "CREATE TABLE orders (number INTEGER PRIMARY KEY, customer TEXT NOT NULL, item TEXT NOT NULL, "
                "cents INTEGER NOT NULL, status TEXT NOT NULL, note TEXT NOT NULL, refunded INTEGER NOT NULL)"
            )
            database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", world.orders)
        for path, text in world.files:
            self._write(path, text)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Delete the folder and the database."""
        self.database.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def world(self) -> World:
        """The world as it is now."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return World(
            tuple(self._orders()),
            tuple((path.relative_to(self.folder).as_posix(), path.read_bytes().decode()) for path in files),
            self.documents,
        )

    def run(self, asked: Call) -> str:
        """The answer to a call.

        Raises:
            ToolError: the tool cannot answer it. Then nothing has changed.
        """
        check_call(asked)
        given = dict(asked.arguments)
        match asked.tool:
            case "list_files":
                return _listed(path for path, _ in self.world().files)
            case "read_file":
                return self._read(given["path"])
            case "write_file":
                self._write(given["path"], given["text"])
                return f"wrote {given['path']}"
            case "list_orders":
                return _orders_of(given["customer"], self._orders("WHERE customer = ?", given["customer"]))
            case "search" | "calculate" | "answer":
                return _without_state(self.documents, asked)
        found = self._orders("WHERE number = ?", given["order"])
        if not found:
            raise ToolError(f"there is no order {given['order']}")
        match asked.tool:
            case "show_order":
                return _shown(found[0])
            case "read_note":
                return found[0].note or "no note"
            case "refund":
                _check_refund(found[0], given["cents"])
                self._change(
                    "UPDATE orders SET refunded = refunded + ? WHERE number = ?", given["cents"], given["order"]
                )
                return f"refunded {euros(given['cents'])} for order {given['order']}"
            case _:
                self._change("DELETE FROM orders WHERE number = ?", given["order"])
                return f"deleted order {given['order']}"

    def _orders(self, where: str = "", *values: Value) -> list[Order]:
        with closing(self.database.execute(f"SELECT * FROM orders {where} ORDER BY number", values)) as rows:
            return [Order(*row) for row in rows]

    def _change(self, statement: str, *values: Value) -> None:
        with self.database as database:
            database.execute(statement, values)

    def _place(self, path: str) -> Path:
        """Where a file is; refused if there is a link on the way, which would give a file two names or lead out of the folder."""
        place = self.folder / file_path(path)
        if place.resolve() != place:
            raise ToolError(f"{path!r} leads through a link")
        return place

    def _read(self, path: str) -> str:
        place = self._place(path)
        if not place.is_file():
            raise ToolError(f"there is no file {path}")
        return place.read_bytes().decode()

    def _write(self, path: str, text: str) -> None:
        place = self._place(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode())
        except OSError as error:
            raise ToolError(f"{path} cannot be written: a file and a folder would have the same name") from error
