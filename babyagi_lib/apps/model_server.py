"""A classifier as a service: POST /predict with texts, GET /health; limits and errors as in `web`. Used by lesson 18.

    python -m babyagi_lib.apps.model_server FOLDER --port 8000

serves a bundle on this machine only. `make_app` makes the app for any function from texts to probabilities.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.apps import web
from babyagi_lib.basics.arguments import check_number, check_whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI, Request

Predict = Callable[[list[str]], NDArray]
MOST_TEXTS, LONGEST = 64, 2000  # texts in a request, characters in a text


class Batcher:
    """Computes the texts of several requests together; the answers of each go back to its own request.

    A request waits for others at most `wait` seconds; it does not wait where `most` texts are there already. One batch is
    computed at a time, in a thread of its own, so that the service can take new requests meanwhile.

    Args:
        predict: from texts to an array with a row for each.
        most: texts in a batch, unless one request has more.
        wait: seconds; with 0, what has come while the last batch was computed makes the next one.
        line: texts that may be waiting; further requests are refused (429) and told to come back.
    """

    def __init__(self, predict: Predict, most: int = 16, wait: float = 0.0, line: int = 1024) -> None:
        check_whole("most", most, 1)
        check_number("wait", wait, 0)
        check_whole("line", line, 1)
        self.predict, self.most, self.wait, self.line = predict, most, wait, line
        self.sizes: list[int] = []  # of the batches that were computed
        self.waiting: list[tuple[list[str], asyncio.Future]] = []
        self.arrived = asyncio.Event()
        self.thread = ThreadPoolExecutor(1)

    @property
    def length(self) -> int:
        """How many texts are waiting."""
        return sum(len(texts) for texts, _ in self.waiting)

    async def answer(self, texts: list[str]) -> NDArray:
        """The rows of these texts.

        Raises:
            Refusal: 429, too many texts are waiting.
        """
        if self.length + len(texts) > self.line:
            raise web.Refusal(429, "Too many texts are waiting. Please try again shortly.", "too_many", wait=1)
        future = asyncio.get_running_loop().create_future()
        self.waiting.append((texts, future))
        self.arrived.set()
        return await future

    async def run(self) -> None:
        """Compute batches until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self.arrived.wait()
            until = time.monotonic() + self.wait
            while self.length < self.most and (left := until - time.monotonic()) > 0:
                self.arrived.clear()
                try:
                    await asyncio.wait_for(self.arrived.wait(), left)
                except TimeoutError:
                    break
            chosen = [self.waiting.pop(0)]
            while self.waiting and sum(len(texts) for texts, _ in (*chosen, self.waiting[0])) <= self.most:
                chosen.append(self.waiting.pop(0))
            if not self.waiting:
                self.arrived.clear()
            together = [text for texts, _ in chosen for text in texts]
            self.sizes.append(len(together))
            try:
                rows = await loop.run_in_executor(self.thread, self.predict, together)
            except Exception as error:  # goes to the requests that this batch was for; the next ones are served
                for _, future in chosen:
                    if not future.done():
                        future.set_exception(error)
                continue
            for texts, future in chosen:
                mine, rows = rows[: len(texts)], rows[len(texts) :]
                if not future.done():  # its client may have gone
                    future.set_result(mine)


def make_app(
    predict: Predict,
    names: Sequence[str],
    *,
    about: Mapping[str, Any] | None = None,
    most: int = 1,
    wait: float = 0.0,
    limits: web.Limits | None = None,
    hosts: tuple[str, ...] = web.LOOPBACK,
) -> web.Shield:
    """An app that serves a classifier, with the shield of `web` before it.

    POST /predict with `{"texts": ["...", ...]}` answers `{"answers": [{"label": ..., "probability": ...}, ...], "model": about}`.
    Errors have a status of 400, 413, 415, 422, 429 or 500 and say what is wrong.

    Args:
        predict: from texts to probabilities, (texts, classes), such as `TextClassifier.probabilities`.
        names: of the classes, in the order of the columns.
        about: what every answer and /health say of the model, such as its fingerprint.
        most: texts of several requests that are computed together; 1 computes each request by itself.
        wait: seconds that a request waits for others.
        limits: of all clients together.
        hosts: names under which the service may be reached.

    Raises:
        MissingPackages: FastAPI is not installed.
    """
    names, about = list(names), dict(about or {})
    batcher: Batcher | None = None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal batcher
        batcher = Batcher(predict, most, wait)
        running = asyncio.create_task(batcher.run())
        yield
        running.cancel()
        batcher.thread.shutdown(wait=False)

    app = web.new_app("A classifier", lifespan)

    def health() -> dict[str, Any]:
        found = predict(["hello"])
        if np.shape(found) != (1, len(names)) or not np.isfinite(found).all():
            raise ValueError(f"the model gave {np.shape(found)} numbers, not all finite; expected (1, {len(names)})")
        return {"model": about, "classes": len(names)}

    web.add_health(app, health)
    from fastapi.responses import JSONResponse  # new_app has said what to install if it is not there

    async def answer(request: Request) -> JSONResponse:
        texts = texts_of(await request.json())
        rows = np.asarray(await batcher.answer(texts), float)
        found = [{"label": names[row.argmax()], "probability": float(row.max())} for row in rows]
        return JSONResponse({"answers": found, "model": about})

    app.add_route("/predict", answer, methods=["POST"])
    return web.Shield(app, limits, hosts=hosts)


def texts_of(body: Any) -> list[str]:
    """The texts of a request.

    Raises:
        Refusal: 422, with what is wrong.
    """

    def refuse(what: str) -> None:
        raise web.Refusal(422, what, "not_valid")

    if not isinstance(body, dict) or body.keys() != {"texts"}:
        refuse('Send {"texts": [...]} and nothing else.')
    texts = body["texts"]
    if not isinstance(texts, list) or not 0 < len(texts) <= MOST_TEXTS:
        refuse(f"texts: expected a list of 1 to {MOST_TEXTS}.")
    for number, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            refuse(f"texts.{number}: expected a text that is not empty.")
        if len(text) > LONGEST:
            refuse(f"texts.{number}: longer than {LONGEST:,} characters.")
    return texts


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve a bundle; see the top of this file."""
    parser = argparse.ArgumentParser(prog="python -m babyagi_lib.apps.model_server", description="Serve a bundle.")
    parser.add_argument("folder", help="that save_bundle wrote")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--most", type=int, default=1, help="texts of several requests that are computed together")
    parser.add_argument("--wait", type=float, default=0.0, help="seconds that a request waits for others")
    parser.add_argument("--fingerprint", help="refuse to serve any other bundle")
    given = parser.parse_args(arguments)
    import uvicorn

    from babyagi_lib.apps.bundle import BundleError, load_bundle

    try:
        bundle = load_bundle(given.folder, fingerprint=given.fingerprint)
    except BundleError as error:
        parser.exit(1, f"{error}\n")
    classifier = bundle.classifier
    app = make_app(
        classifier.probabilities,
        classifier.names,
        about={"fingerprint": bundle.fingerprint},
        most=given.most,
        wait=given.wait,
    )
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning", timeout_keep_alive=60)


if __name__ == "__main__":
    main()
