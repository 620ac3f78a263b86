"""`babyagi desk`: the help desk of lesson 15, started for a browser on this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from babyagi_course.errors import CourseError
from babyagi_course.extras import must_have

if TYPE_CHECKING:
    from babyagi_lib.apps.bundle import Bundle


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

    from babyagi_lib.apps.bundle import BundleError
    from babyagi_lib.apps.desk.server import Settings, create
    from babyagi_lib.apps.desk.store import StoreError
    from babyagi_lib.methods.decisions import Costs
    from babyagi_lib.sources.errors import SourceError

    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            raise CourseError(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error
        try:
            bundle = _bundle(folder / "agent", say)
            settings = Settings(Costs(**bundle.costs), explore)
            app = create(bundle.classifier, folder / "desk.sqlite", settings, version=bundle.fingerprint[:12])
        except (BundleError, SourceError, StoreError) as error:
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


def _bundle(folder: Path, say: Callable[[str], None]) -> Bundle:
    """The bundle in a folder; fitted and saved first if there is none."""
    from babyagi_lib.apps.bundle import ABOUT_FILE, load_bundle, save_bundle
    from babyagi_lib.apps.classifier import fit_classifier
    from babyagi_lib.methods.decisions import Costs
    from babyagi_lib.sources.encoders import load_encoder
    from babyagi_lib.sources.messages import load_intents

    if (folder / ABOUT_FILE).is_file():
        return load_bundle(folder)
    say("Fitting the agent, once: a few seconds")
    encoder, tokenizer = load_encoder()
    corpus = load_intents()
    parts = [corpus[split] for split in ("train", "test", "out_of_scope")]  # all messages: nothing is measured here
    texts, labels = ([row for part in parts for row in part[column]] for column in ("text", "category"))
    card = {
        "What it is for": "The help desk of lesson 15: what a customer wants, or that it is none of the intents.",
        "What it was fitted on": f"{len(texts):,} messages of support_intents, written for the course. Real ones differ.",
    }
    return save_bundle(folder, fit_classifier(encoder, tokenizer, texts, labels), costs=asdict(Costs()), card=card)
