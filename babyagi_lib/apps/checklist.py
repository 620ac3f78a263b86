"""A checklist for a service that runs: each point is tried from outside, as a client, and gets one line. Used by benchmarks/serving.py.

It says what was seen, not that a service is safe: a point that passes was tried in one way. Points that need more than an
address (a way to restart, the log, the bundle) are left open where that is not given. Imports no torch.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from babyagi_lib.apps.bundle import BundleError, check_files

if TYPE_CHECKING:
    from babyagi_lib.agents.decisions import Decision

TAG = "<img src=x onerror=alert(1)>"
HOSTILE = (TAG, "'; DROP TABLE messages; --", "\x00\x1b[2J", "\\ud800", "{{7*7}} ${7*7}", "a" * 1999)
LARGE = 1_000_000  # bytes in one request
TEXTS, MANY = 30, 1500  # requests as fast as one client can
TRACE = re.compile(r'Traceback|File \\?"[^"]+\.py|site-packages|sqlite3\.|line \d+, in ')
ADDRESS = re.compile(
    r"""(?:src|href|action)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)|url\(\s*["']?((?:https?:)?//[^"')]+)""", re.I
)
LINKED = re.compile(r"""(?:src|href)\s*=\s*["'](/[^/"'][^"']*)""", re.I)
UNSAFE = ("innerHTML", "insertAdjacentHTML", "document.write", "eval(")


@dataclass(frozen=True)
class Finding:
    """One point of the list.

    Attributes:
        name: of the point.
        passed: whether it holds; None if it was not tried.
        line: what was seen.
    """

    name: str
    passed: bool | None
    line: str


@dataclass(frozen=True)
class Answer:
    """What a service answered; `status` 0 where it closed the connection."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str

    def header(self, name: str) -> str:
        """All values of a header."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())


@dataclass(eq=False)
class Client:
    """A client with cookies of its own, which notes every answer."""

    address: str
    answers: list[Answer] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; what is not bytes is sent as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if content is not None else {}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        where = urlsplit(self.address)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused before it was sent whole
                connection.request(method, path, content, given | headers)
            found = connection.getresponse()
            answer = Answer(found.status, tuple(found.getheaders()), found.read().decode("utf-8", "replace"))
        except (ConnectionError, http.client.HTTPException):
            answer = Answer(0, (), "")
        finally:
            connection.close()
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                self.cookies |= {key: morsel.value for key, morsel in SimpleCookie(value).items()}
        self.answers.append(answer)
        return answer


@dataclass(frozen=True)
class Service:
    """A service and how to talk to it.

    Attributes:
        address: such as "http://127.0.0.1:8000".
        say: send a text.
        path: where `say` sends it by POST.
        begin: what a client must do first, such as getting a cookie.
        seen: ask for what was said; None if the service keeps nothing.
        page: the page for people; None if there is none.
    """

    address: str
    say: Callable[[Client, str], Answer]
    path: str
    begin: Callable[[Client], Any] = lambda client: None
    seen: Callable[[Client], Answer] | None = None
    page: str | None = None

    def client(self) -> Client:
        """A new client that has begun."""
        client = Client(self.address)
        self.begin(client)
        return client


def classifier_service(address: str) -> Service:
    """A service of `model_server`."""
    return Service(address, lambda client, text: client.ask("POST", "/predict", {"texts": [text]}), "/predict")


def desk_service(address: str) -> Service:
    """The help desk of lesson 15."""

    def say(client: Client, text: str) -> Answer:
        name = f"checklist-{time.time_ns()}"
        return client.ask("POST", "/api/messages", {"request": name, "text": text})

    return Service(
        address,
        say,
        "/api/messages",
        begin=lambda client: client.ask("POST", "/api/conversation", {}),
        seen=lambda client: client.ask("GET", "/api/messages"),
        page="/",
    )


def check_service(
    service: Service,
    *,
    restart: Callable[[], None] | None = None,
    log: Callable[[], Sequence[Decision]] | None = None,
    bundle: str | Path | None = None,
) -> list[Finding]:
    """Try every point of the list. The service should be one for tests: it gets hostile texts, and too many requests.

    Args:
        service: as `desk_service` or `classifier_service` make it, or one of your own.
        restart: kills the service and starts it again at the same address.
        log: reads the decisions of the service.
        bundle: the folder that it serves.
    """
    clients: list[Client] = []

    def new() -> Client:
        clients.append(service.client())
        return clients[-1]

    return [
        _health(new()),
        _hashes(new(), bundle),
        _headers(service, new()),
        _external(service, new()),
        _other_host(service, new()),
        _bad_json(service, new()),
        _large_body(service, new()),
        _hostile(service, new),
        *_kept(service, new, restart),
        _logged(log),
        _cookies(clients),
        _rate(service, new()),  # near the end: it uses up what all clients may ask for
        _traces(service, new(), clients),
    ]


def table(findings: Sequence[Finding]) -> str:
    """The findings as lines in columns."""
    words = {True: "yes", False: "NO", None: "-"}
    rows = [("check", "passed", "what was seen"), *((f.name, words[f.passed], f.line) for f in findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{name:{widths[0]}}  {passed:{widths[1]}}  {line}" for name, passed, line in rows)


# --- the points -----------------------------------------------------------------------------------------------------


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.text)
    except ValueError:
        return None


def _health(client: Client) -> Finding:
    answer = client.ask("GET", "/health")
    found = _json(answer)
    well = answer.status == 200 and isinstance(found, dict) and found.get("status") == "ok"
    return Finding("health", well, f"GET /health: {answer.status}" + (", status ok" if well else ""))


def _hashes(client: Client, folder: str | Path | None) -> Finding:
    name = "what is served is what was measured"
    if folder is None:
        return Finding(name, None, "no bundle given")
    try:
        fingerprint = check_files(folder)["fingerprint"]
    except BundleError as error:
        return Finding(name, False, str(error))
    said = fingerprint[:12] in client.ask("GET", "/health").text
    seen = "and /health names it" if said else "but /health does not name it"
    return Finding(name, said, f"every hash of the bundle holds, {seen} ({fingerprint[:12]})")


def _headers(service: Service, client: Client) -> Finding:
    answer = client.ask("GET", service.page or "/health")
    policy = answer.header("content-security-policy")
    wanted = {
        "a Content-Security-Policy without 'unsafe-inline'": "default-src" in policy and "unsafe" not in policy,
        "nosniff": answer.header("x-content-type-options").lower() == "nosniff",
        "no frames": "frame-ancestors 'none'" in policy or answer.header("x-frame-options").upper() == "DENY",
        "a Referrer-Policy": bool(answer.header("referrer-policy")),
    }
    missing = [what for what, there in wanted.items() if not there]
    return Finding("security headers", not missing, f"missing: {', '.join(missing)}" if missing else ", ".join(wanted))


def _external(service: Service, client: Client) -> Finding:
    """The page, the files that it links to, and the page of documentation that FastAPI adds unless told not to."""
    found, scripts, seen = [], [], 0
    waiting = [path for path in (service.page, "/docs") if path]
    while waiting:
        path = waiting.pop()
        answer = client.ask("GET", path)
        if answer.status != 200:
            continue
        seen += 1
        kind = answer.header("content-type")
        if "script" not in kind:
            found += [next(filter(None, groups)) for groups in ADDRESS.findall(answer.text)]
        scripts += [word for word in UNSAFE if "script" in kind and word in answer.text]
        if path == service.page:
            waiting += list(dict.fromkeys(LINKED.findall(answer.text)))
    if not seen:
        return Finding("no address outside", None, "no page")
    line = f"{found[0]} in a page" if found else f"{seen} file(s), none names another machine"
    if scripts:
        line += f"; a script uses {scripts[0]}"
    return Finding("no address outside", not found and not scripts, line)


def _other_host(service: Service, client: Client) -> Finding:
    answer = client.ask("GET", service.page or "/health", Host="attacker.example")
    return Finding("another name is refused", answer.status >= 400, f"Host: attacker.example gets {answer.status}")


def _bad_json(service: Service, client: Client) -> Finding:
    answer = client.ask("POST", service.path, b'{"text": ')
    clear = answer.status in (400, 422) and isinstance(_json(answer), dict)
    return Finding("a clear error for bad JSON", clear, f"{answer.status}: {' '.join(answer.text.split())[:60]}")


def _large_body(service: Service, client: Client) -> Finding:
    answer = client.ask("POST", service.path, b'{"text": "' + b"a" * LARGE + b'"}')
    said = f"{LARGE // 1000:,} kB get {answer.status or 'no answer'}"
    return Finding("a limit on the body", answer.status in (0, 413), said)


def _hostile(service: Service, new: Callable[[], Client]) -> Finding:
    """Texts come back as JSON, or escaped; none of them is an unexpected error."""
    statuses, raw = [], False
    for text in HOSTILE:
        client = new()
        answers = [service.say(client, text), *([service.seen(client)] if service.seen else [])]
        statuses += [answer.status for answer in answers]
        raw |= any(TAG in answer.text and "html" in answer.header("content-type") for answer in answers)
    broken = [status for status in statuses if status == 0 or status >= 500]
    line = f"{len(HOSTILE)} texts: " + ("a tag comes back as a tag" if raw else "no tag comes back as HTML")
    return Finding(
        "hostile texts do no harm", not raw and not broken, line + (f"; {broken[0]} for one" if broken else "")
    )


def _kept(service: Service, new: Callable[[], Client], restart: Callable[[], None] | None) -> Iterator[Finding]:
    """What one client said is seen by nobody else, and is there after a kill."""
    private, kept = "nobody sees another's texts", "nothing is lost in a kill"
    if service.seen is None:
        yield from (Finding(name, None, "the service keeps no texts") for name in (private, kept))
        return
    client, mark = new(), f"mark {time.time_ns()}"
    said = service.say(client, mark).status
    own, other = (mark in service.seen(who).text for who in (client, new()))
    line = f"its own: {'seen' if own else 'not seen'}, another's: {'seen' if other else 'not seen'}"
    yield Finding(private, own and not other, line)
    if restart is None:
        yield Finding(kept, None, "no way to restart given")
        return
    restart()
    there = mark in service.seen(client).text
    yield Finding(
        kept, said == 200 and there, f"a text that was answered is {'there' if there else 'gone'} after a restart"
    )


def _logged(log: Callable[[], Sequence[Decision]] | None) -> Finding:
    name = "decisions are logged with their propensity"
    if log is None:
        return Finding(name, None, "no log given")
    decisions = log()
    right = sum(0 < decision.propensity <= 1 for decision in decisions)
    return Finding(name, 0 < right == len(decisions), f"{right} of {len(decisions)} decisions")


def _cookies(clients: Sequence[Client]) -> Finding:
    found = [
        value
        for client in clients
        for answer in client.answers
        for name, value in answer.headers
        if name.lower() == "set-cookie"
    ]
    if not found:
        return Finding("flags of cookies", None, "no cookie is set")
    lacking = [flag for flag in ("httponly", "samesite=strict") if not all(flag in value.lower() for value in found)]
    line = f"{len(found)} cookie(s)" + (
        f" without {' and '.join(lacking)}" if lacking else ", HttpOnly and SameSite=Strict"
    )
    return Finding("flags of cookies", not lacking, line)


def _rate(service: Service, client: Client) -> Finding:
    """Some texts of one client, then many requests that cost the service nearly nothing: one of two limits should be met."""
    for number in range(1, TEXTS + MANY + 1):
        answer = service.say(client, "hello") if number <= TEXTS else client.ask("GET", "/nothing/here")
        if answer.status == 429:
            after = answer.header("retry-after")
            line = f"request {number} gets 429" + (f", try again after {after} s" if after else ", without Retry-After")
            return Finding("a limit on the rate", bool(after), line)
    return Finding("a limit on the rate", False, f"{TEXTS + MANY:,} requests, one after the other, are served")


def _traces(service: Service, client: Client, clients: Sequence[Client]) -> Finding:
    """All errors that the other points caused, and some more."""
    client.ask("POST", service.path, b"[]")
    client.ask("POST", service.path, b"\xff\xfe")
    client.ask("DELETE", service.path)
    client.ask("GET", "/nothing/here")
    errors = [answer for one in clients for answer in one.answers if answer.status >= 400]
    leaking = [answer for answer in errors if TRACE.search(answer.text)]
    line = f"{len(errors)} errors" + (
        f", {len(leaking)} with traces of the program" if leaking else ", no trace of the program"
    )
    return Finding("errors tell nothing of the program", not leaking, line)
