"""`babyagi desk`: the help desk of lesson 15, started for a browser on this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from babyagi_course.errors import CourseError
from babyagi_course.extras import must_have


def start(folder: Path, port: int, explore: float, say: Callable[[str], None]) -> None:
    """Fit the agent, unless the folder has one, and serve the desk until it is stopped.

    Args:
        folder: for the agent and the store of conversations.
        port: of 127.0.0.1; 0 for a free one.
        explore: the share of decisions in which the act is drawn at random.
        say: prints a line.

    Raises:
        CourseError: a package is missing, the port is taken, or the folder holds something else.
    """
    must_have("serve")
    if not 0 <= explore <= 1:
        raise CourseError(f"--explore is {explore}; expected a share from 0 to 1")
    import uvicorn

    from babyagi_lib.apps.desk.server import Settings, create
    from babyagi_lib.apps.desk.store import StoreError
    from babyagi_lib.models.saving import ModelError
    from babyagi_lib.sources.errors import SourceError

    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            raise CourseError(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error
        try:
            app = create(_agent(folder / "agent", say), folder / "desk.sqlite", Settings(explore=explore))
        except (ModelError, SourceError, StoreError) as error:
            raise CourseError(str(error)) from error
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        say(f"Customers: {address}/")
        say(f"Colleagues: {address}/colleague (only on this machine), key {app.key}")
        say("Stop with Ctrl + C. Nothing is lost: the next start goes on with the same conversations.")
        # A header of a proxy must not make a client look as if it were on this machine.
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=30
        )
        uvicorn.Server(config).run(sockets=[listening])


def _agent(folder: Path, say: Callable[[str], None]) -> object:
    """The agent in a folder; fitted and saved first if there is none."""
    from babyagi_lib.apps.desk.agent import ABOUT_FILE, DeskAgent, fit_agent
    from babyagi_lib.sources.encoders import load_encoder
    from babyagi_lib.sources.messages import load_intents

    encoder, tokenizer = load_encoder()
    if (folder / ABOUT_FILE).is_file():
        return DeskAgent.load(folder, encoder, tokenizer)
    say("Fitting the agent, once: a few seconds")
    corpus = load_intents()
    parts = [corpus[split] for split in ("train", "test", "out_of_scope")]
    texts, labels = ([row for part in parts for row in part[column]] for column in ("text", "category"))
    agent = fit_agent(encoder, tokenizer, texts, labels)
    agent.save(folder)
    return agent
