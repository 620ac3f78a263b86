"""What every web service of the course has in common: limits, headers, one form of errors, health. Used by `desk`.

Imports no torch, and no web framework until an app is made. `new_app` makes an app of FastAPI; `Shield` stands before it and is
what a server serves. Nothing that a client sends reaches the app before the shield has looked at it:

- the name of the host and the origin: a page from elsewhere that is open in the same browser gets nothing;
- the rate of all clients together; an app limits single clients with `Buckets`;
- the body: its length, the time it takes to arrive, its type, and that it is strict JSON.

Every answer has the same security headers, and every error the same form, `{"error": what is wrong, "code": one word}`. It says what
a client can do, and nothing of the program: the trace of an unexpected error goes to the log of the server.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from babyagi_lib.apps.packages import INSTALL, MissingPackages
from babyagi_lib.basics.arguments import check_number, check_whole

if TYPE_CHECKING:
    from fastapi import FastAPI

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
# A page may load its own files and nothing else; no page may show it in a frame.
OWN_FILES_ONLY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
logger = logging.getLogger(__name__)


class Refusal(Exception):
    """A request that is not served: the client gets `status` and the message.

    Args:
        status: of HTTP, 400 or above.
        message: what is wrong and what the client can do, in a sentence.
        code: one word for programs; by default the name of the status.
        wait: seconds after which the client may try again, 0 if it is of no use.
    """

    def __init__(self, status: int, message: str, code: str = "", wait: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.message, self.wait = status, message, wait
        self.code = code or HTTPStatus(status).name.lower()

    @property
    def headers(self) -> dict[str, str]:
        """Retry-After, if trying again helps."""
        return {"Retry-After": str(math.ceil(self.wait))} if self.wait > 0 else {}

    @property
    def content(self) -> dict[str, str]:
        """What the client gets as JSON."""
        return {"error": self.message, "code": self.code}


UNEXPECTED = Refusal(500, "Something went wrong here. Please try again.")


# --- limits -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    """What all clients together may ask for.

    Attributes:
        body: bytes of one request.
        seconds: in which they must have arrived.
        rate: requests a second in the long run.
        burst: requests at once, after a pause.
    """

    body: int = 65_536
    seconds: float = 10.0
    rate: float = 200.0
    burst: int = 400

    def __post_init__(self) -> None:
        check_whole("body", self.body, 1)
        check_number("seconds", self.seconds, 0, above=True)
        check_number("rate", self.rate, 0, above=True)
        check_whole("burst", self.burst, 1)


class Bucket:
    """A token bucket: it holds `burst` tokens at most, `rate` more come in a second, and each request takes one.

    Args:
        rate: tokens a second.
        burst: tokens of a full bucket, which it is at first.
        clock: seconds, from any start.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self.tokens, self.then = float(burst), clock()

    def take(self) -> float:
        """Take a token. Returns 0.0, or if there is none, after how many seconds there will be."""
        now = self.clock()
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.then) * self.rate)
        self.then = now
        if self.tokens < 1:
            return (1 - self.tokens) / self.rate
        self.tokens -= 1
        return 0.0


class Buckets:
    """A bucket for each key, such as a conversation. The `keys` that were used last are remembered.

    Args:
        rate, burst, clock: of each bucket.
        keys: how many buckets are kept. A key that was forgotten gets a full bucket.
    """

    def __init__(
        self, rate: float, burst: int, keys: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate, self.burst, self.keys, self.clock = rate, burst, keys, clock
        self.kept: OrderedDict[Any, Bucket] = OrderedDict()

    def take(self, key: Any) -> float:
        """Take a token from the bucket of a key; as `Bucket.take`."""
        bucket = self.kept.pop(key, None) or Bucket(self.rate, self.burst, self.clock)
        self.kept[key] = bucket
        if len(self.kept) > self.keys:
            self.kept.popitem(last=False)
        return bucket.take()


def strict_json(body: bytes) -> Any:
    """The value of a JSON text that any other program reads in the same way.

    Raises:
        Refusal: 400; it is not JSON in UTF-8, has NaN, an infinite number, a name twice in one object, half of a surrogate pair,
            or is nested too deeply.
    """

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(found)) < len(found):
            raise ValueError("a name stands twice in an object")
        return dict(found)

    def number(text: str) -> float:
        if not math.isfinite(float(text)):
            raise ValueError("a number is not finite")
        return float(text)

    def constant(text: str) -> float:
        raise ValueError(f"{text} is not JSON")

    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=pairs, parse_float=number, parse_constant=constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # fails for half of a surrogate pair
    except UnicodeError as error:
        raise Refusal(400, "The body is not a text in UTF-8.", "bad_json") from error
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "The body is not strict JSON.", "bad_json") from error
    return value


# --- the app ----------------------------------------------------------------------------------------------------


def new_app(title: str, lifespan: Callable | None = None) -> FastAPI:
    """An app without pages of documentation, which load scripts from elsewhere, and with errors in the form of this module.

    Args:
        title: of the service.
        lifespan: as FastAPI has it.

    Raises:
        MissingPackages: FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI, Request
        from fastapi.exceptions import RequestValidationError
        from fastapi.responses import JSONResponse
        from starlette.exceptions import HTTPException
    except ImportError as error:
        raise MissingPackages(f"A service needs FastAPI ({error}): {INSTALL}") from error
    app = FastAPI(title=title, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    def told(refusal: Refusal) -> JSONResponse:
        return JSONResponse(refusal.content, refusal.status, refusal.headers)

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> JSONResponse:
        return told(error)

    @app.exception_handler(HTTPException)
    async def no_such_thing(request: Request, error: HTTPException) -> JSONResponse:
        answer = told(Refusal(error.status_code, f"{HTTPStatus(error.status_code).phrase}."))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> JSONResponse:
        # The input itself is not repeated: it may be long, or anything at all.
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:] if isinstance(part, (str, int)))[:80]
        return told(Refusal(422, f"{where or 'The body'}: {first['msg']}.", "not_valid"))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return told(UNEXPECTED)  # the error itself goes on to the shield, which logs it

    return app


def add_health(app: FastAPI, check: Callable[[], dict[str, Any]]) -> None:
    """GET /health: what `check` returns, with "status": "ok"; 503 if it raises an error. It runs in a thread."""
    from fastapi.responses import JSONResponse

    @app.get("/health", include_in_schema=False)
    def health() -> JSONResponse:
        try:
            return JSONResponse({"status": "ok", **check()})
        except Exception as error:
            logger.exception("the check of health failed")
            raise Refusal(503, "The service is not well.", "not_well", wait=5) from error


Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Shield:
    """What stands before an app, and is itself one as servers know it (ASGI). `app` is the app behind it.

    Args:
        app: gets a request only if all is well with it, its body as a whole.
        limits: what all clients together may ask for.
        policy: the Content-Security-Policy of every answer.
        hosts: the names under which the service may be reached, without the port.
        clock: seconds, from any start.
    """

    def __init__(
        self,
        app: Callable,
        limits: Limits | None = None,
        policy: str = OWN_FILES_ONLY,
        hosts: tuple[str, ...] = LOOPBACK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app, self.hosts, self.limits = app, hosts, limits or Limits()
        self.bucket = Bucket(self.limits.rate, self.limits.burst, clock)
        named = {**HEADERS, "Content-Security-Policy": policy}
        self.headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close"})
                return
            await self.app(scope, receive, send)
            return
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                own = {name.lower() for name, _ in message.get("headers", ())}
                added = [pair for pair in self.headers if pair[0] not in own]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        try:
            self.look_at(scope)
            body = await self.whole_body(scope, receive)
            await self.app(scope, _replayed(body, receive), send_with_headers)
        except Refusal as refusal:
            await _answer(refusal, send_with_headers)
        except Exception:
            logger.exception("an unexpected error in %s %r", scope["method"], scope["path"][:80])
            if not begun:
                await _answer(UNEXPECTED, send_with_headers)

    def look_at(self, scope: Message) -> None:
        """Check where a request comes from and how many there are.

        Raises:
            Refusal: 421, 403 or 429.
        """
        headers = _headers(scope)
        host = headers.get(b"host", b"").decode("latin-1")
        name, _, port = host.rpartition(":")
        if (name if port.isdigit() else host) not in self.hosts:
            raise Refusal(421, "This service is not reached by this name.", "wrong_host")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").partition("://")[2] != host:
            raise Refusal(403, "Requests from other pages are not served.", "wrong_origin")
        if wait := self.bucket.take():
            raise Refusal(429, "Too many requests at the moment. Please try again shortly.", "too_many", wait)

    async def whole_body(self, scope: Message, receive: Receive) -> bytes:
        """The body of a request, all of it.

        Raises:
            Refusal: 400, 408, 413 or 415.
        """
        headers, parts, length = _headers(scope), [], 0
        too_large = Refusal(413, f"The body is longer than {self.limits.body:,} bytes.", "too_large")
        if (told := headers.get(b"content-length", b"0")).isdigit() and (
            len(told) > 18 or int(told) > self.limits.body
        ):
            raise too_large
        try:
            async with asyncio.timeout(self.limits.seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "The body has no end.", "bad_body")
                    parts.append(message.get("body", b""))
                    length += len(parts[-1])
                    if length > self.limits.body:
                        raise too_large
                    if not message.get("more_body"):
                        break
        except TimeoutError as error:
            raise Refusal(408, "The body did not arrive in time.", "too_slow") from error
        body = b"".join(parts)
        if body:
            kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if kind != b"application/json":
                raise Refusal(415, "Send JSON, with Content-Type: application/json.", "not_json")
            strict_json(body)
        return body


def _headers(scope: Message) -> dict[bytes, bytes]:
    """The headers of a request by their names; of one that is given twice, the first, which nothing can hide behind."""
    return dict(reversed(scope["headers"]))


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What gives an app a body that was read before, and then what follows it: that the client has gone."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return left.pop() if left else await receive()

    return again


async def _answer(refusal: Refusal, send: Send) -> None:
    """Send a refusal, and ask the client to open a new connection: the rest of a body may still be on its way."""
    content = json.dumps(refusal.content).encode()
    headers = {"content-type": "application/json", "content-length": str(len(content)), "connection": "close"}
    pairs = [(name.lower().encode(), value.encode()) for name, value in {**headers, **refusal.headers}.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": pairs})
    await send({"type": "http.response.body", "body": content})
