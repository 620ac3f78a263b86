"""The checklist, tried on the help desk of lesson 15 and on a service that was made without care."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="no FastAPI here: the extra serve brings it")
pytest.importorskip("uvicorn", reason="no uvicorn here: the extra serve brings it")

from babyagi_lib.agents.decisions import Decision
from babyagi_lib.apps import checklist
from babyagi_lib.apps.desk.log import decisions

HERE = Path(__file__).parent


class Running:
    """A service in a process of its own, which can be killed and started again."""

    def __init__(self, kind, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command = [
            sys.executable,
            str(HERE / "checked_server.py"),
            kind,
            str(self.port),
            str(folder / "store.sqlite"),
        ]
        self.start()

    def start(self):
        paths = [str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        self.process = subprocess.Popen(self.command, env=environment)
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, "the service has ended"
                time.sleep(0.05)
        raise AssertionError("the service does not start")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.stop()
        self.start()


@pytest.fixture
def running(tmp_path):
    started = []

    def start(kind):
        started.append(Running(kind, tmp_path))
        return started[-1], checklist.desk_service(f"http://127.0.0.1:{started[-1].port}")

    yield start
    for service in started:
        service.stop()


def test_the_help_desk_passes_every_point_that_was_tried(running, tmp_path):
    process, service = running("desk")
    found = checklist.check_service(service, restart=process.restart, log=lambda: decisions(tmp_path / "store.sqlite"))
    assert [finding for finding in found if finding.passed is False] == []
    assert [finding.name for finding in found if finding.passed is None] == ["what is served is what was measured"]
    lines = checklist.table(found).splitlines()
    assert len(lines) == 15 and lines[0].split() == ["check", "passed", "what", "was", "seen"]


def test_a_careless_service_fails_every_point_that_was_tried(running):
    process, service = running("careless")
    found = {finding.name: finding for finding in checklist.check_service(service, restart=process.restart)}
    untried = ["what is served is what was measured", "decisions are logged with their propensity"]
    assert [name for name, finding in found.items() if finding.passed is not False] == untried
    for name, seen in {
        "health": "404",
        "security headers": "Content-Security-Policy",
        "no address outside": "innerHTML",
        "another name is refused": "gets 200",
        "a clear error for bad JSON": "500",
        "a limit on the body": "1,000 kB get 200",
        "hostile texts do no harm": "a tag comes back as a tag",
        "nobody sees another's texts": "another's: seen",
        "nothing is lost in a kill": "gone after a restart",
        "flags of cookies": "without httponly and samesite=strict",
        "a limit on the rate": "1,530 requests, one after the other, are served",
        "errors tell nothing of the program": "with traces",
    }.items():
        assert seen in found[name].line, found[name]


def test_a_log_without_propensities_does_not_pass():
    def decision(propensity):
        return Decision(0, 0, "answer", propensity, (1.0,), None)

    assert checklist._logged(lambda: [decision(0.5), decision(1.0)]).passed
    for log in ([], [decision(0.5), decision(0.0)], [decision(2.0)]):
        assert not checklist._logged(lambda log=log: log).passed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<script src="https://a.example/x.js">', True),
        ("<script src=//a.example/x.js>", True),
        ("p { background: url(https://a.example/x.png) }", True),
        ('<form action="http://a.example">', True),
        ('<script src="/x.js"></script><svg xmlns="http://www.w3.org/2000/svg">', False),
        ("See https://a.example for more.", False),
    ],
)
def test_what_a_page_loads_from_elsewhere_is_found(text, found):
    assert bool(checklist.ADDRESS.findall(text)) == found
