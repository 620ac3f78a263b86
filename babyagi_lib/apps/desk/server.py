"""The help desk as a web service: a page for customers, one for colleagues, and what they ask for. Used by lesson 15.

Two threads do the work, so that the event loop never waits: one reads messages with the model, one writes to the store. Customers
are known by a cookie that no script can read; a colleague must be on this machine and know the key that is printed at the start.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from babyagi_lib.apps.desk.answers import WELCOME, load_answers
from babyagi_lib.apps.desk.store import Conversation, Store, hashed
from babyagi_lib.apps.desk.talk import Talk, cleaned
from babyagi_lib.apps.web import (
    INSTALL,
    LOOPBACK,
    Buckets,
    Limits,
    MissingPackages,
    Refusal,
    Shield,
    add_health,
    new_app,
)
from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.methods.decisions import Costs

try:
    from fastapi import FastAPI, Query, Request, Response
    from fastapi import Path as InPath
    from pydantic import BaseModel, ConfigDict, Field
except ImportError as error:
    raise MissingPackages(f"The help desk needs FastAPI ({error}): {INSTALL}") from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 2000  # characters of a message
COOKIE, COLLEAGUE = "desk", "colleague"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
LARGEST = 2**53  # of a number in a request: what a browser can count to


class Reader(Protocol):
    """What the desk needs of a classifier: `apps.classifier.TextClassifier` is one."""

    names: list[str]

    def probabilities(self, texts: list[str]) -> NDArray:
        """(texts, classes)."""


@dataclass(frozen=True)
class Settings:
    """How the desk works.

    Attributes:
        costs: of the acts.
        explore: the share of decisions in which the act is drawn at random.
        rate: writing requests a second of one conversation, in the long run.
        burst: of them at once, after a pause.
        waiting: messages that may wait for the model; more are refused, with a time to try again.
        limits: of all clients together.
        hosts: the names under which the desk may be reached.
        secure: it is reached by https, so cookies are sent by nothing else.
    """

    costs: Costs = field(default_factory=Costs)
    explore: float = 0.1
    rate: float = 1.0
    burst: int = 10
    waiting: int = 200
    limits: Limits = field(default_factory=Limits)
    hosts: tuple[str, ...] = LOOPBACK
    secure: bool = False

    def __post_init__(self) -> None:
        check_number("explore", self.explore, 0, 1)
        check_number("rate", self.rate, 0, above=True)
        check_whole("burst", self.burst, 1)
        check_whole("waiting", self.waiting, 1)


# --- what clients send ------------------------------------------------------------------------------------------

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Number = Annotated[int, Field(ge=1, le=LARGEST)]
InAddress = Annotated[int, InPath(ge=1, le=LARGEST)]
After = Annotated[int, Query(ge=0, le=LARGEST)]


class Body(BaseModel):
    """A request: the name that its client gave it, and nothing that is not asked for."""

    model_config = ConfigDict(extra="forbid", strict=True)
    request: Name


class Written(Body):
    """A message."""

    text: Text


class Chosen(Body):
    """A button under a message."""

    message: Number
    choice: Annotated[str, Field(max_length=64)]


class Settled(Body):
    """A colleague's yes or no to a call."""

    call: Number
    approved: bool


class Closed(Body):
    """The end of a conversation in the queue, and what it was about."""

    intent: Annotated[str, Field(max_length=64)] | None = None


class Key(BaseModel):
    """A colleague's key."""

    model_config = ConfigDict(extra="forbid", strict=True)
    key: Annotated[str, Field(max_length=200)]


# --- the service ------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Desk:
    """What the endpoints share: the talk with its store, the model, and a thread for each."""

    talk: Talk
    classifier: Reader
    settings: Settings
    key: str
    waiting: int = 0
    clerk: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "clerk"))
    reader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "reader"))

    def __post_init__(self) -> None:
        self.buckets = Buckets(self.settings.rate, self.settings.burst)
        self.logins = Buckets(0.2, 5, keys=1)

    async def write(self, function: Callable, *arguments: Any) -> Any:
        """Call something that uses the store, in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self.clerk, function, *arguments)

    async def read(self, text: str) -> NDArray:
        """The probabilities of the classes for a text, (classes,), by the model in its thread.

        Raises:
            Refusal: 503; too many messages are waiting.
        """
        if self.waiting >= self.settings.waiting:
            raise Refusal(503, "Many customers are writing at the moment. Please try again shortly.", "busy", wait=2)
        self.waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return (await loop.run_in_executor(self.reader, self.classifier.probabilities, [text]))[0]
        finally:
            self.waiting -= 1

    async def customer(self, request: Request, writes: bool = False) -> Conversation:
        """The conversation of the cookie of a request.

        Raises:
            Refusal: 401 without one; 429 for too many writing requests.
        """
        token = request.cookies.get(COOKIE, "")
        if writes and (wait := self.buckets.take(hashed(token))):
            raise Refusal(429, "That was very fast. Please try again in a moment.", "too_many", wait)
        found = await self.write(self.talk.store.find, token)
        if found is None:
            raise Refusal(401, "There is no such conversation.", "no_conversation")
        return found

    def here(self, request: Request) -> None:
        """Make sure that a request comes from this machine.

        Raises:
            Refusal: 403.
        """
        if request.client is None or request.client.host not in ("127.0.0.1", "::1"):
            raise Refusal(403, "Colleagues work on the machine of the desk.", "not_here")

    def colleague(self, request: Request) -> None:
        """Make sure that a request comes from a colleague on this machine.

        Raises:
            Refusal: 403 from another machine; 401 without the cookie.
        """
        self.here(request)
        if not hmac.compare_digest(request.cookies.get(COLLEAGUE, "").encode(), self._pass().encode()):
            raise Refusal(401, "Please give the key that was printed when the desk was started.", "no_key")

    def login(self, key: str) -> str:
        """What the cookie of a colleague holds.

        Raises:
            Refusal: 401 for a wrong key; 429 for too many.
        """
        if wait := self.logins.take("all"):
            raise Refusal(429, "Too many attempts. Please wait.", "too_many", wait)
        if not hmac.compare_digest(key.strip().encode(), self.key.encode()):
            raise Refusal(401, "That is not the key.", "wrong_key")
        return self._pass()

    def _pass(self) -> str:
        return hmac.new(self.key.encode(), b"colleague", "sha256").hexdigest()

    def cookie(self, response: Response, name: str, value: str, path: str) -> None:
        """Set a cookie that no script can read, and that no other site's page can send."""
        response.set_cookie(
            name, value, max_age=86_400, path=path, httponly=True, samesite="strict", secure=self.settings.secure
        )


def create(
    classifier: Reader,
    path: str | Path,
    settings: Settings | None = None,
    key: str | None = None,
    version: str = "unnamed",
) -> Shield:
    """The help desk as an app for a server (ASGI).

    Args:
        classifier: reads messages. Its classes are intents that have an answer, and perhaps one for all other messages.
        path: of the store; made if it is not there.
        settings: how the desk works.
        key: of colleagues; drawn if it is not given. It is the attribute `key` of what is returned, as `talk` is the talk.
        version: of the classifier, for the log: the fingerprint of its bundle.

    Raises:
        StoreError: the file is no store of the desk.
        ValueError: more than one class has no answer.
        MissingPackages: FastAPI is not installed.
    """
    settings, key = settings or Settings(), key or secrets.token_urlsafe(12)
    store = Store(path)
    seed = int(store.setting("seed", str(secrets.randbits(62))))
    talk = Talk(store, load_answers(), list(classifier.names), version, settings.costs, settings.explore, seed)
    desk = Desk(talk, classifier, settings, key)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.get_running_loop().run_in_executor(desk.reader, classifier.probabilities, ["hello"])
        yield
        desk.reader.shutdown()
        desk.clerk.shutdown()
        store.close()

    app = new_app("help desk", lifespan)
    add_health(app, lambda: {"agent": version, "waiting": desk.waiting, **_count(desk)})
    _add_pages(app)
    _add_customer(app, desk)
    _add_colleague(app, desk)
    shield = Shield(app, settings.limits, hosts=settings.hosts)
    shield.key, shield.talk = key, talk
    return shield


def _count(desk: Desk) -> dict[str, int]:
    """How many conversations wait for a colleague: the store can be read."""
    return {"queued": len(desk.clerk.submit(desk.talk.store.queue).result(timeout=5))}


def _add_pages(app: FastAPI) -> None:
    """The files of `page`, read once: no address can lead to another file."""
    folder = files("babyagi_lib.apps.desk") / "page"
    for file in folder.iterdir():
        kind = TYPES.get(Path(file.name).suffix)
        address = {"desk.html": "/", "colleague.html": "/colleague"}.get(file.name, f"/{file.name}")
        if kind:
            app.add_api_route(address, _page(file.read_bytes(), kind), methods=["GET"])


def _page(content: bytes, kind: str) -> Callable:
    async def page() -> Response:
        return Response(content, media_type=kind)

    return page


def _add_customer(app: FastAPI, desk: Desk) -> None:
    talk = desk.talk

    @app.post("/api/conversation")
    async def begin(request: Request, response: Response) -> dict:
        """The conversation of the cookie, or a new one; the cookie is good for another day."""
        token = request.cookies.get(COOKIE, "")
        if await desk.write(talk.store.find, token) is None:
            token = await desk.write(talk.store.start, WELCOME)
        desk.cookie(response, COOKIE, token, "/api")
        found = await desk.write(talk.store.find, token)
        return await desk.write(talk.view, found.id)

    @app.get("/api/messages")
    async def see(request: Request, after: After = 0) -> dict:
        """The messages with a number above `after`."""
        found = await desk.customer(request)
        return await desk.write(talk.view, found.id, after)

    @app.post("/api/messages")
    async def say(request: Request, written: Written) -> dict:
        """The customer writes."""
        text = cleaned(written.text)
        found = await desk.customer(request, writes=True)
        done = await desk.write(talk.say, found.id, written.request, text, None)
        if done is None:
            done = await desk.write(talk.say, found.id, written.request, text, await desk.read(text))
        return done

    @app.post("/api/choices")
    async def choose(request: Request, chosen: Chosen) -> dict:
        """The customer presses a button."""
        found = await desk.customer(request, writes=True)
        return await desk.write(talk.choose, found.id, chosen.request, chosen.message, chosen.choice)


def _add_colleague(app: FastAPI, desk: Desk) -> None:
    talk, base = desk.talk, "/api/colleague"

    async def queued(request: Request, number: int) -> None:
        desk.colleague(request)
        if await desk.write(talk.store.get, number) is None:
            raise Refusal(404, "There is no such conversation.", "no_conversation")

    def seen(number: int) -> dict:
        if talk.store.get(number).state != "queued":
            raise Refusal(404, "This customer is not in the queue.", "not_queued")
        return talk.view(number) | {"calls": talk.store.calls(number)}

    @app.post(f"{base}/login")
    async def login(request: Request, given: Key, response: Response) -> dict:
        """The key for a cookie."""
        desk.here(request)
        desk.cookie(response, COLLEAGUE, desk.login(given.key), base)
        return {}

    @app.get(f"{base}/intents")
    async def intents(request: Request) -> dict:
        """What a conversation can be about."""
        desk.colleague(request)
        return {"intents": [{"name": name, "title": answer.title} for name, answer in talk.answers.items()]}

    @app.get(f"{base}/queue")
    async def queue(request: Request) -> dict:
        """The conversations that wait."""
        desk.colleague(request)
        return {"queue": await desk.write(talk.store.queue)}

    @app.get(f"{base}/queue/{{number}}")
    async def look(request: Request, number: InAddress) -> dict:
        """One conversation, whole."""
        await queued(request, number)
        return await desk.write(seen, number)

    @app.post(f"{base}/queue/{{number}}/messages")
    async def reply(request: Request, number: InAddress, written: Written) -> dict:
        """The colleague writes."""
        await queued(request, number)
        return await desk.write(talk.reply, number, written.request, cleaned(written.text))

    @app.post(f"{base}/queue/{{number}}/calls")
    async def settle(request: Request, number: InAddress, settled: Settled) -> dict:
        """Yes or no to a call."""
        await queued(request, number)
        return await desk.write(talk.settle, number, settled.request, settled.call, settled.approved)

    @app.post(f"{base}/queue/{{number}}/close")
    async def close(request: Request, number: InAddress, closed: Closed) -> dict:
        """The end of a conversation in the queue."""
        await queued(request, number)
        return await desk.write(talk.close, number, closed.request, closed.intent)
