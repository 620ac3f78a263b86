"""Every backend chooses among candidates; the hosted one is met only as a local server, and its key goes nowhere else."""

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from babyagi_lib.agents import language_models as models
from babyagi_lib.agents import tool_agent
from babyagi_lib.worlds import tool_tasks

KEY = "sk-do-not-print-me"
TASKS = tool_tasks.make_tasks(len(tool_tasks.KINDS), 3)


def test_a_script_is_followed_and_ends():
    script = models.Scripted(["b", "a"])
    assert [models.choose(script, "", ["a", "b"]) for _ in range(2)] == [1, 0]
    with pytest.raises(ValueError, match="2 lines"):
        models.choose(script, "", ["a"])
    with pytest.raises(ValueError, match="line 1 of the script, 'x'"):
        models.choose(models.Scripted(["x"]), "", ["a"])


def test_the_first_of_equal_candidates_is_chosen_and_nonsense_is_refused():
    assert models.choose(models.Rules(lambda prompt, texts: [1, 2, 2]), "", "abc") == 1
    for wrong in ([1.0], [np.nan, 1, 2]):
        with pytest.raises(ValueError, match="rules gives"):
            models.choose(models.Rules(lambda prompt, texts, wrong=wrong: wrong), "", "abc")
    with pytest.raises(ValueError, match="no candidate"):
        models.choose(models.Rules(lambda prompt, texts: []), "", [])


# --- the small GPT --------------------------------------------------------------------------------------------------

EXAMPLES = [
    (f"{verb} the {thing}", f"{call} {thing}")
    for verb, call in (("see", "show"), ("drop", "delete"))
    for thing in ("red box", "blue box", "red cup", "green cup")
]


@pytest.fixture(scope="module")
def small():
    model = models.SmallGPT(longest=8)
    losses = model.train(EXAMPLES, steps=60, seed=3, d=32)
    assert losses[-1] < 0.2 < losses[0]
    return model


def test_the_small_gpt_learns_what_to_call(small):
    texts = [right for _, right in EXAMPLES]
    assert [models.choose(small, prompt, texts) for prompt, _ in EXAMPLES] == list(range(len(texts)))


def test_its_log_likelihoods_are_those_of_one_text_at_a_time_and_padding_changes_nothing(small):
    texts = ["show red box", "delete", "show green cup box", "sing"]
    together = small.log_likelihoods("see the red box", texts)
    for text, found in zip(texts, together, strict=True):
        head, [right] = small.words("see the red box", [text])
        row, start = small._row(head, right)
        with torch.no_grad():
            logs = torch.log_softmax(small.model(torch.tensor([row[:-1]])), dim=-1)[0]
        assert found == pytest.approx(sum(float(logs[i - 1, row[i]]) for i in range(start, len(row))), abs=1e-4)


def test_the_same_seed_trains_the_same_model_whatever_torch_did_before(small):
    torch.manual_seed(99)
    again = models.SmallGPT(longest=8)
    again.train(EXAMPLES, steps=60, seed=3, d=32)
    texts = [right for _, right in EXAMPLES]
    assert np.array_equal(again.log_likelihoods("see the cup", texts), small.log_likelihoods("see the cup", texts))


def test_a_model_that_is_not_trained_says_so():
    with pytest.raises(ValueError, match="train the model"):
        models.SmallGPT().log_likelihoods("a", ["b"])
    with pytest.raises(ValueError, match="no example"):
        models.SmallGPT().train([], steps=1, seed=0)


# --- a model of transformers ------------------------------------------------------------------------------------------


def tiny():
    """A causal model with random weights, and a tokenizer of single characters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(5)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=128, max_position_embeddings=256, **sizes)).eval()
    return model, lambda text, add_special_tokens: {"input_ids": list(text.encode("ascii"))}


@pytest.mark.parametrize("instruction", ["", "see a\n=> show a\n\n"])
def test_what_is_read_once_gives_the_numbers_of_reading_it_each_time(instruction):
    model, tokenizer = tiny()
    causal, texts = (
        models.Causal(model, tokenizer, instruction),
        ["show order 3", "show order 31", "answer 5", "x", "x"],
    )
    # No prompt must see anything of the one before it.
    for prompt in ("Show order 3.", "Add up.", "Add up.\nanswer: 5", "Add up.", "Add up."):
        found = causal.log_likelihoods(prompt, texts)
        for text, total in zip(texts, found, strict=True):
            head, tail = f"{instruction}{prompt}\n=>", f" {text}\n"
            ids = torch.tensor([list((head + tail).encode())])
            with torch.no_grad():
                logs = model(ids).logits[0].double().log_softmax(dim=-1)
            wanted = sum(float(logs[at - 1, ids[0, at]]) for at in range(len(head), len(head + tail)))
            assert total == pytest.approx(wanted, abs=1e-4)


def test_a_model_that_was_interrupted_begins_anew():
    model, tokenizer = tiny()
    causal, texts = models.Causal(model, tokenizer, "see a\n"), ["show order 3", "answer 5"]
    right = causal.log_likelihoods("Add up.", texts)
    causal.log_likelihoods("Show order 3.", texts)

    def interrupt(*_):
        raise KeyboardInterrupt

    hook = model.model.layers[1].register_forward_hook(interrupt)  # one layer has written to the cache
    with pytest.raises(KeyboardInterrupt):
        causal.log_likelihoods("Add up.", texts)
    hook.remove()
    assert causal.log_likelihoods("Add up.", texts) == pytest.approx(right, abs=1e-4)


def test_worked_examples_are_prompts_and_calls():
    shown = tool_agent.worked(TASKS[:1])
    assert shown.startswith(TASKS[0].objective) and shown.count("\n=> ") == len(tool_tasks.shortest_plan(TASKS[0]))


# --- a hosted model, played by a local server -------------------------------------------------------------------------


class Server:
    """Answers every request with `reply` (a text for the model to say, bytes, or a status) and keeps what it was sent."""

    def __init__(self):
        self.reply, self.wait, self.got = "1", 0.0, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, dict(self.headers), json.loads(body)))
                time.sleep(outer.wait)
                status = outer.reply if isinstance(outer.reply, int) else 200
                content = outer.reply if isinstance(outer.reply, bytes) else b"{}"
                if isinstance(outer.reply, str):
                    content = json.dumps({"choices": [{"message": {"content": outer.reply}}]}).encode()
                self.send_response(status)
                if status in (302, 307):
                    self.send_header("Location", f"http://127.0.0.1:{outer.port}/elsewhere")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def hosted(server, seconds=5.0):
    return models.Hosted(f"http://127.0.0.1:{server.port}/v1/", KEY, "tiny", seconds)


def test_a_hosted_model_names_a_candidate(server):
    server.reply = " 2.\n"
    assert models.choose(hosted(server), "Refund order 3.", ["show order 3", "refund order 3"]) == 1
    [(path, headers, body)] = server.got
    assert path == "/v1/chat/completions" and headers["Authorization"] == f"Bearer {KEY}"
    assert body["model"] == "tiny" and "1. show order 3\n2. refund order 3" in body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("0", "no number from 1 to 2"),
        ("3", "no number from 1 to 2"),
        ("the second", "no number from 1 to 2"),
        ("2 and 1", "no number from 1 to 2"),
        ("", "no number from 1 to 2"),
        (b"oops", "no chat completion"),
        (b'{"choices": []}', "no chat completion"),
        (b'{"choices": [{"message": {"content": 2}}]}', "no chat completion"),
        (b'"' + b"a" * (models.LONGEST_REPLY + 1) + b'"', "no chat completion"),
        (500, "HTTP status 500"),
        (401, "HTTP status 401"),
        (f"your key is {KEY}", "no number from 1 to 2"),
        (f"{'a' * 50}{KEY}", "no number from 1 to 2"),
        (b"[" * 100_000, "no chat completion"),
        (b'{"choices": ' + b"9" * 5000 + b"}", "no chat completion"),
    ],
)
def test_an_answer_that_is_none_is_told_without_the_key(server, reply, said):
    server.reply = reply
    model = hosted(server)
    with pytest.raises(models.ModelFailed, match=said) as raised:
        model.log_likelihoods("a", ["b", "c"])
    shown = f"{raised.value!r} {raised.value.__cause__} {model.name} {model!r}"
    assert KEY not in shown


@pytest.mark.parametrize("status", [302, 307])
def test_the_key_does_not_follow_a_redirect(server, status):
    server.reply = status
    with pytest.raises(models.ModelFailed, match=f"HTTP status {status}"):
        hosted(server).log_likelihoods("a", ["b"])
    assert len(server.got) == 1


def test_a_model_that_is_too_slow_or_not_there_has_failed(server):
    server.wait = 0.5
    with pytest.raises(models.ModelFailed, match="did not answer"):
        hosted(server, seconds=0.1).log_likelihoods("a", ["b"])
    with pytest.raises(models.ModelFailed, match="did not answer"):
        models.Hosted("http://127.0.0.1:1", KEY, "tiny").log_likelihoods("a", ["b"])
    with pytest.raises(models.ModelFailed, match="did not answer"):
        models.Hosted(f"http://127.0.0.1:{server.port}", "two\nlines", "tiny").log_likelihoods("a", ["b"])


def test_an_answer_that_drips_or_is_no_http_has_failed():
    """One byte each 50 ms is no timeout of the connection."""

    def serve(listener):
        for first, rest in ((b"HTTP/1.1 200 OK\r\n\r\n", b" " * 100), (b"hello\r\n", b"")):
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(10_000)
                connection.sendall(first)
                for byte in rest:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        model = models.Hosted(f"http://127.0.0.1:{listener.getsockname()[1]}", KEY, "tiny", 0.3)
        started = time.monotonic()
        with pytest.raises(models.ModelFailed, match="TimeoutError"):
            model.log_likelihoods("a", ["b"])
        assert time.monotonic() - started < 3
        with pytest.raises(models.ModelFailed, match="BadStatusLine"):
            model.log_likelihoods("a", ["b"])


def test_a_proxy_does_not_see_the_key(server, monkeypatch):
    proxy = Server()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    try:
        hosted(server).log_likelihoods("a", ["b"])
        assert not proxy.got and len(server.got) == 1
    finally:
        proxy.http.shutdown()
        proxy.http.server_close()


@pytest.mark.parametrize(
    "address", ["http://example.com/v1", "ftp://example.com", "example.com", "http://localhost.evil.com"]
)
def test_the_key_is_sent_in_the_open_to_nobody(address):
    with pytest.raises(ValueError, match="https"):
        models.Hosted(address, KEY, "tiny")


def test_without_all_of_the_environment_there_is_no_hosted_model(monkeypatch):
    names = (models.ADDRESS, models.KEY, models.MODEL)
    for name, value in zip(names, ("https://a.example/v1", KEY, "tiny"), strict=True):
        monkeypatch.setenv(name, value)
    assert models.Hosted.from_environment().name == "hosted tiny"
    for name in names:
        with monkeypatch.context() as without:
            without.delenv(name)
            with pytest.raises(ValueError, match=f"needs {name} in the environment") as raised:
                models.Hosted.from_environment()
            assert KEY not in str(raised.value)


# --- the agent with tools ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_the_shortest_plan_as_a_script_does_the_task(task):
    plan = tool_tasks.shortest_plan(task)
    found = tool_agent.act(task, models.Scripted([tool_tasks.in_words(one) for one in plan]))
    assert found.success and [asked for asked, _ in found.steps] == plan and not found.refused
    assert found.ended == ("done" if task.answer is None else "answered")


def test_examples_are_the_steps_of_the_plans():
    found = tool_agent.examples(TASKS)
    assert len(found) == sum(len(tool_tasks.shortest_plan(task)) for task in TASKS)
    assert found[0][0] == TASKS[0].objective and "\n" in found[1][0]


def test_a_guard_that_refuses_everything_lets_nothing_happen():
    task = next(task for task in TASKS if task.kind == "delete")
    model = models.Rules(lambda prompt, texts: [text.startswith("list orders") for text in texts])
    found = tool_agent.act(task, model, make=lambda sandbox, asked: (None, "no"), budget=4)
    assert (
        found.refused == 2 and not found.success and found.ended == "nothing left"
    )  # no name was read, so no other call
    assert {said for _, said in found.steps} == {"no"}


def test_without_the_check_an_agent_goes_on_and_a_call_is_repeated_only_where_that_is_allowed():
    task = next(task for task in TASKS if task.kind == "refund")
    plan = [tool_tasks.in_words(one) for one in tool_tasks.shortest_plan(task)]
    first = models.Rules(lambda prompt, texts: [plan.index(text) + 1 if text in plan else 0 for text in texts])
    assert tool_agent.act(task, first, budget=6).ended == "done"
    on = tool_agent.act(task, first, budget=6, check=False)
    assert len(on.steps) == 6 and len({asked for asked, _ in on.steps}) == 6
    again = tool_agent.act(task, first, budget=6, check=False, again=True)
    assert len({asked for asked, _ in again.steps}) == 2 and again.refused > 0  # the tool refuses a second refund
    with pytest.raises(ValueError, match="budget"):
        tool_agent.act(task, first, budget=0)


def test_the_rules_do_what_they_know():
    tasks = tool_tasks.make_tasks(64, 5)
    rules = models.Rules(tool_agent.by_rules)
    found = {task.kind: tool_agent.act(task, rules).success for task in tasks}
    assert found["refund"] and found["arithmetic"] and found["two orders"]
    assert np.mean([tool_agent.act(task, rules).success for task in tasks]) > 0.5
