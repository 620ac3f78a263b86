"""What stands before every web service of the course: limits, strict JSON, headers, errors in one form."""

import logging

import pytest

from babyagi_lib.apps.web import HEADERS, Bucket, Buckets, Limits, Refusal, Shield, add_health, new_app, strict_json

JSON = {"Content-Type": "application/json"}


class Clock:
    """Shows the time that it is set to."""

    now = 0.0

    def __call__(self):
        return self.now


# --- buckets ----------------------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_and_then_its_rate():
    clock = Clock()
    bucket = Bucket(2.0, 3, clock)
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert bucket.take() == pytest.approx(0.5)
    clock.now = 0.5
    assert bucket.take() == 0
    assert bucket.take() == pytest.approx(0.5)
    clock.now = 1000
    assert sum(bucket.take() == 0 for _ in range(10)) == 3  # a pause fills it up to the burst, no further


def test_a_clock_that_goes_back_gives_no_tokens():
    clock = Clock()
    clock.now = 10
    bucket = Bucket(1.0, 1, clock)
    assert bucket.take() == 0
    clock.now = 0
    assert bucket.take() > 0


@pytest.mark.parametrize("rate", [0.5, 3.0, 70.0])
def test_over_any_stretch_of_time_no_more_than_burst_and_rate(rate):
    clock = Clock()
    bucket, taken = Bucket(rate, 5, clock), []
    for step in range(400):
        clock.now = step * 0.037
        if bucket.take() == 0:
            taken.append(clock.now)
    for i, first in enumerate(taken):
        for j in range(i, len(taken)):
            assert j - i + 1 <= 5 + rate * (taken[j] - first) + 1e-9


def test_each_key_has_its_own_bucket_and_few_are_kept():
    buckets = Buckets(0.001, 1, keys=3, clock=Clock())
    assert [buckets.take(key) == 0 for key in "aabbc"] == [True, False, True, False, True]
    buckets.take("d")
    assert len(buckets.kept) == 3 and "a" not in buckets.kept


# --- JSON -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b'{"a": [1, 2.5, null, "\\u00e9\\ud83d\\ude00"]}', b"null", b'"x"', b"-0", b" {} "])
def test_strict_json_is_read(body):
    import json

    assert strict_json(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b"\xff",
        b"\xed\xa0\x80",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"",
        b"{",
        b"{'a': 1}",
        b"9" * 5000,
        b"\xef\xbb\xbf{}",
        b'"\x00"',
    ],
)
def test_other_bodies_are_refused(body):
    with pytest.raises(Refusal) as caught:
        strict_json(body)
    assert caught.value.status == 400 and caught.value.code == "bad_json"


# --- the shield -------------------------------------------------------------------------------------------------


def client(limits=None, check=dict, clock=None):
    pytest.importorskip("fastapi", reason="no FastAPI here: the extra serve brings it")
    from fastapi import Body, Response
    from fastapi.testclient import TestClient

    app, embedded = new_app("a service"), Body(embed=True)
    app.add_api_route("/echo", lambda value: {"value": value}, methods=["GET"])
    app.add_api_route("/longer", lambda text=embedded: {"length": len(text)}, methods=["POST"])
    app.add_api_route("/own", lambda: Response(headers={"Cache-Control": "max-age=1"}), methods=["GET"])
    app.add_api_route("/broken", lambda: {}["the secret name"], methods=["GET"])
    add_health(app, check)
    arguments = {"clock": clock} if clock else {}
    return TestClient(Shield(app, limits, **arguments), base_url="http://localhost", raise_server_exceptions=False)


def error(answer, status, code):
    """An error in the form that all have."""
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "code"} and answer.json()["code"] == code
    assert answer.json()["error"].endswith(".")
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    return True


def test_what_is_well_formed_gets_through():
    web = client(check=lambda: {"conversations": 3})
    assert web.post("/longer", json={"text": "é" * 100}).json() == {"length": 100}
    assert web.get("/echo", params={"value": "<b>"}).json() == {"value": "<b>"}
    answer = web.get("/health")
    assert answer.json() == {"status": "ok", "conversations": 3}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert web.get("/own").headers["Cache-Control"] == "max-age=1"  # an app may have its own


def test_errors_have_one_form_and_say_nothing_of_the_program(caplog):
    web = client()
    assert error(web.get("/nothing"), 404, "not_found")
    assert error(web.get("/longer"), 405, "method_not_allowed")
    assert error(web.post("/longer", content=b"{", headers=JSON), 400, "bad_json")
    assert error(web.post("/longer", content=b'{"text": "x"}'), 415, "not_json")
    missing = web.post("/longer", json={"other": "<script>" * 100})
    assert error(missing, 422, "not_valid") and "script" not in missing.text
    with caplog.at_level(logging.ERROR):
        broken = web.get("/broken")
    assert error(broken, 500, "internal_server_error")
    assert "secret" not in broken.text and "Traceback" not in broken.text
    assert "the secret name" in caplog.text  # the server's log has it


def test_a_service_that_is_not_well_says_so():
    def check():
        raise OSError("disk is full")

    answer = client(check=check).get("/health")
    assert error(answer, 503, "not_well") and answer.headers["Retry-After"] == "5" and "disk" not in answer.text


def test_a_body_is_cut_off_before_anything_reads_it():
    web = client(Limits(body=1000))
    assert error(web.post("/longer", json={"text": "x" * 1000}), 413, "too_large")
    assert error(web.post("/longer", content=(b"x" * 100 for _ in range(11)), headers=JSON), 413, "too_large")
    assert web.post("/longer", json={"text": "x" * 900}).json() == {"length": 900}
    assert error(web.post("/longer", content=b"x", headers=JSON | {"Content-Length": "9" * 30}), 413, "too_large")


def test_too_many_requests_are_told_when_to_come_again():
    clock = Clock()
    web = client(Limits(rate=0.5, burst=2), clock=clock)
    assert [web.get("/health").status_code for _ in range(2)] == [200, 200]
    answer = web.get("/health")
    assert error(answer, 429, "too_many") and answer.headers["Retry-After"] == "2"
    clock.now = 2.0
    assert web.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8015"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "[::1]:80"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost.evil.example"}, 421),
        ({"Host": "localhost:x"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:99"}, 403),
    ],
)
def test_pages_of_other_places_get_nothing(headers, status):
    assert client().get("/health", headers=headers).status_code == status


def test_a_body_that_does_not_end_is_given_up():
    import asyncio

    sent = []

    async def receive():
        await asyncio.sleep(1)
        return {"type": "http.request", "body": b"", "more_body": True}

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        raise AssertionError("nothing reaches the app")

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"localhost")]}
    asyncio.run(Shield(app, Limits(seconds=0.05))(scope, receive, send))
    assert sent[0]["status"] == 408


@pytest.mark.parametrize("values", [{"body": 0}, {"seconds": 0}, {"rate": -1}, {"burst": 1.5}, {"rate": float("nan")}])
def test_limits_are_checked(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        Limits(**values)


def test_without_the_framework_the_message_says_what_to_install():
    import subprocess
    import sys

    program = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from babyagi_lib.apps import web\n"
        "try: web.new_app('x')\n"
        "except web.MissingPackages as error: print(error)\n"
        "try: import babyagi_lib.apps.desk.server\n"
        "except web.MissingPackages as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.count('pip install "babyagi-course[serve]"') == 2
