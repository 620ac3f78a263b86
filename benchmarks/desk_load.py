"""How fast is the help desk with 50 customers? Messages a second, and how long a customer waits, with the real model.

    python benchmarks/desk_load.py

It starts `babyagi desk` in a process of its own, with a new folder, and measures from another process on the same machine, as
customers' browsers would see it. Three loads: all 50 write in the same moment; each writes its next message as soon as the last
one is answered; each writes about every ten seconds and asks for news every 1.5 seconds, as the page does. Prints a table;
under a minute on two cores. Other work on the machine makes the times longer.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx2
import numpy as np

from babyagi_lib.sources.messages import load_intents

ROOT = Path(__file__).resolve().parents[1]
CUSTOMERS, ROUNDS, SECONDS, PAUSE, NEWS = 50, 5, 15.0, 10.0, 1.5
START = "from babyagi_course.cli import main; main()"


class Customer:
    """A conversation, and how long each of its requests took."""

    def __init__(self, web: httpx2.AsyncClient, number: int, texts: list[str]) -> None:
        self.web, self.texts = web, texts
        self.rng = np.random.default_rng(number)
        self.writing, self.looking = [], []

    async def begin(self) -> None:
        answer = (await self.web.post("/api/conversation", json={})).raise_for_status()
        self.cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}

    async def write(self) -> None:
        body = {"request": self.rng.bytes(8).hex(), "text": str(self.rng.choice(self.texts))}
        begun = time.perf_counter()
        (await self.web.post("/api/messages", json=body, headers=self.cookie)).raise_for_status()
        self.writing.append(time.perf_counter() - begun)

    async def one_after_another(self) -> None:
        for _ in range(ROUNDS):
            await self.write()

    async def now_and_then(self) -> None:
        async def look() -> None:
            while True:
                begun = time.perf_counter()
                (await self.web.get("/api/messages?after=9999999", headers=self.cookie)).raise_for_status()
                self.looking.append(time.perf_counter() - begun)
                await asyncio.sleep(NEWS)

        looking, end = asyncio.create_task(look()), time.perf_counter() + SECONDS
        while (pause := self.rng.exponential(PAUSE)) < end - time.perf_counter():
            await asyncio.sleep(pause)
            await self.write()
        await asyncio.sleep(max(0.0, end - time.perf_counter()))
        looking.cancel()


def show(name: str, seconds: list[float], passed: float) -> None:
    """A row of the table."""
    half, most = np.percentile(seconds, (50, 99)) if seconds else (np.nan, np.nan)
    print(
        f"{name:34}  {len(seconds):8}  {len(seconds) / passed:8.1f}  {half:10.3f}  {most:10.3f}  {max(seconds):10.3f}"
    )


async def measure(address: str, texts: list[str]) -> None:
    """Put the three loads on a desk and print what they showed."""
    limits = httpx2.Limits(max_connections=2 * CUSTOMERS, max_keepalive_connections=2 * CUSTOMERS)
    none = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # each customer brings its own
    async with httpx2.AsyncClient(base_url=address, timeout=60, limits=limits, cookies=none, trust_env=False) as web:
        print(f"{'load':34}  requests  a second  half below   99% below     slowest")
        for name, act in (
            ("all write at once", Customer.write),
            ("one message after another", Customer.one_after_another),
            (f"a message every {PAUSE:g} s", Customer.now_and_then),
        ):
            customers = [Customer(web, number, texts) for number in range(CUSTOMERS)]
            for customer in customers:
                await customer.begin()
            begun = time.perf_counter()
            await asyncio.gather(*(act(customer) for customer in customers))
            passed = time.perf_counter() - begun
            show(name, [s for customer in customers for s in customer.writing], passed)
        show("  its requests for news", [s for customer in customers for s in customer.looking], passed)


def main() -> None:
    """Start a desk, measure it, stop it."""
    texts = list(load_intents()["test"]["text"])
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-u", "-c", START, "desk", "--port", "0", "--folder", folder]
        desk = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            address = next(found[1] for line in desk.stdout if (found := re.match(r"Customers: (\S+?)/$", line)))
            asyncio.run(measure(address, texts))
        finally:
            desk.terminate()
            desk.wait(timeout=30)


if __name__ == "__main__":
    main()
