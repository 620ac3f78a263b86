"""What lesson 18 says about serving, measured: other forms of a model, servers, waiting, searches, processes, a checklist.

    python benchmarks/serving.py
    python benchmarks/serving.py --postgresql postgresql+psycopg://ada@localhost/search

A probe on MiniLM's vectors, fitted on support_intents, is exported, rounded to 8 bits, served by the course's server and by
transformers' pipeline behind the same FastAPI, and asked by clients that come one after another, several at once, and at
random. Hyperparameters are searched on 120 messages. The result goes to `serving.json` beside this file. Six minutes; run it
with nothing else running. A PostgreSQL server is used where its address is given; the database must exist and be empty.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import results
import torch

from babyagi_course.measured import Aim
from babyagi_lib.apps import bundle, checklist, devices, onnx_export, queueing, search
from babyagi_lib.apps.classifier import Served, TextClassifier, encode, fit_classifier
from babyagi_lib.apps.desk.server import Settings, create
from babyagi_lib.apps.model_server import make_app
from babyagi_lib.apps.web import Limits
from babyagi_lib.basics.intervals import Interval, over_seeds
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods.fewshot import PROBE_C, draw_shots
from babyagi_lib.methods.probe import Probe, fit_probe, softmax
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.messages import load_intents

COSTS = {"wrong": 8.0, "ask": 2.0, "hand over": 3.0}
TOGETHER = 32
REQUESTS, CLIENTS = 200, 8
LOADS, ARRIVALS = (0.3, 0.5, 0.7), 400
DRAWS, SHOTS, TRIALS = 10, 5, 25  # searches on 24 intents x 5 messages
EQUAL, SPLITS = 10, 30  # candidates that are equally good; how often they are compared
SPACE = {"C": (0.01, 1000.0, "log"), "centred": [False, True], "mixed": (0.0, 1.0)}
DEFAULT = {"C": PROBE_C, "centred": False, "mixed": 0.0}
PLAN_TRIALS = 40  # of the search in several processes


# --- the forms of one model -----------------------------------------------------------------------------------------


class Halved(TextClassifier):
    """The classifier with its matrices multiplied in bf16."""

    def from_pieces(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> np.ndarray:
        with torch.autocast("cpu", torch.bfloat16):
            return super().from_pieces(input_ids, attention_mask)


def older_export(classifier: TextClassifier, path: Path) -> Path:
    """As `onnx_export.export`, by the exporter that torch calls deprecated."""
    batch, pieces = "batch", "pieces"
    axes = {name: {0: batch, 1: pieces} for name in onnx_export.INPUTS} | {onnx_export.OUTPUT: {0: batch}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says in several ways that it is deprecated
        torch.onnx.export(
            classifier.scorer,
            classifier.pieces(onnx_export.EXAMPLE),
            str(path),
            input_names=list(onnx_export.INPUTS),
            output_names=[onnx_export.OUTPUT],
            dynamic_axes=axes,
            dynamo=False,
            opset_version=17,
        )
    return path


def forms(folder: Path, classifier: TextClassifier) -> Iterator[tuple[str, Served, float]]:
    """Each form of the classifier with its name and its size in MB."""

    def graph(path: Path) -> tuple[Served, float]:
        served = onnx_export.OnnxClassifier(path, classifier.tokenizer, classifier.names, classifier.temperature)
        return served, path.stat().st_size / 1e6

    weights = (folder / "bundle" / bundle.ENCODER_FILE).stat().st_size / 1e6
    yield "torch float32", classifier, weights
    halved = Halved(classifier.encoder, classifier.tokenizer, probe_of(classifier))
    yield "torch bf16", halved, weights
    path = onnx_export.export(classifier, folder / "float32.onnx")
    yield "ONNX float32", *graph(path)
    yield "ONNX float32, older exporter", *graph(older_export(classifier, folder / "older.onnx"))
    for name, per_channel in (("ONNX int8 per channel", True), ("ONNX int8 per tensor", False)):
        target = folder / f"int8-{'channel' if per_channel else 'tensor'}.onnx"
        yield name, *graph(onnx_export.quantize(path, target, per_channel=per_channel))


def probe_of(classifier: TextClassifier) -> Probe:
    head = classifier.scorer.head
    weights = head.weight.detach().numpy().T.astype(float), head.bias.detach().numpy().astype(float)
    return Probe(classifier.names, *weights, classifier.temperature)


def variants(folder: Path, classifier: TextClassifier, texts: list[str], truth: np.ndarray) -> list[dict]:
    """Speed, size and answers of every form. Messages come one at a time, and 32 together."""
    rows, reference = [], None
    for name, served, size in forms(folder, classifier):
        served.logits(texts[:TOGETHER], TOGETHER)  # the first call prepares
        started = time.process_time()
        alone = served.logits(texts, 1)
        between = time.process_time()
        together = served.logits(texts, TOGETHER)
        ended = time.process_time()
        reference = alone if reference is None else reference
        found = onnx_export.compare(reference, alone, truth)
        rows.append(
            {
                "name": name,
                "alone_ms": round((between - started) / len(texts) * 1e3, 2),
                "together_ms": round((ended - between) / len(texts) * 1e3, 2),
                "mb": round(size, 1),
                "largest": float(f"{found.largest:.2g}"),
                "same": found.number - found.flips,
                "of": found.number,
                "accuracy": round(found.accuracies[1], 4),
                "gain": rounded(found.gain),
                "same_alone_and_together": int((alone.argmax(1) == together.argmax(1)).sum()),
            }
        )
        print(rows[-1], flush=True)
    return rows


# --- servers --------------------------------------------------------------------------------------------------------


def serve(kind: str, folder: Path, port: int, most: int, wait: float) -> None:
    """Serve one form of the model until the process is stopped."""
    import uvicorn

    torch.set_num_threads(1)
    saved = bundle.load_bundle(folder / "bundle")
    classifier = saved.classifier
    predict = classifier.probabilities
    if kind in ("float32", "int8-channel"):
        path = folder / f"{kind}.onnx"
        graph = onnx_export.OnnxClassifier(path, classifier.tokenizer, classifier.names, classifier.temperature)
        predict = graph.probabilities
    elif kind == "pipeline":
        predict = by_pipeline(classifier)
    if kind == "desk":
        app = create(classifier, folder / "desk.sqlite", Settings(explore=0.1), version=saved.fingerprint[:12])
    else:
        limits = Limits() if kind == "limited" else Limits(rate=5000, burst=5000)
        about = {"fingerprint": saved.fingerprint}
        app = make_app(predict, classifier.names, about=about, most=most, wait=wait, limits=limits)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", timeout_keep_alive=60)


def by_pipeline(classifier: TextClassifier) -> Callable[[list[str]], np.ndarray]:
    """The same probabilities by transformers' pipeline: its vectors of the pieces, then mean and probe."""
    from transformers import pipeline

    extract = pipeline("feature-extraction", model=classifier.encoder, tokenizer=classifier.tokenizer)
    probe = probe_of(classifier)

    def predict(texts: list[str]) -> np.ndarray:
        means = np.stack([states[0].mean(dim=0).numpy() for states in extract(texts, return_tensors=True)])
        return probe.probabilities(means / np.linalg.norm(means, axis=1, keepdims=True))

    return predict


@contextmanager
def running(kind: str, folder: Path, most: int = 1, wait: float = 0.0) -> Iterator[int]:
    """A server in a process of its own, at a free port, ready to answer."""
    port = free_port()
    process = start([__file__, "--serve", kind, str(folder), str(port), str(most), str(wait)], port)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start(arguments: list[str], port: int) -> subprocess.Popen:
    """Start a Python program, and wait until it listens."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL)
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"{arguments} ended") from None
            time.sleep(0.1)
    raise RuntimeError(f"{arguments} does not listen")


def ask(connection: http.client.HTTPConnection, texts: list[str]) -> list[str]:
    """The labels that a server gives."""
    connection.request("POST", "/predict", json.dumps({"texts": texts}), {"content-type": "application/json"})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {body}")
    return [found["label"] for found in body["answers"]]


def closed_loop(port: int, texts: list[str], clients: int) -> tuple[list[str], np.ndarray, float]:
    """Clients that each ask again as soon as they have an answer: labels, seconds of each request, and in all."""
    labels, taken = [""] * len(texts), np.zeros(len(texts))

    def client(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in range(first, len(texts), clients):
            started = time.perf_counter()
            labels[number] = ask(connection, [texts[number]])[0]
            taken[number] = time.perf_counter() - started

    threads = [threading.Thread(target=client, args=(first,)) for first in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return labels, taken, time.perf_counter() - started


def servers(folder: Path, texts: list[str], expected: list[str]) -> tuple[list[dict], list[dict]]:
    """One client and several, for each server; then batches of several requests."""
    rows, batches = [], []
    asked = (texts * (REQUESTS // len(texts) + 1))[:REQUESTS]
    right = (expected * (REQUESTS // len(texts) + 1))[:REQUESTS]
    kinds = {
        "transformers' pipeline": "pipeline",
        "ours, torch float32": "torch",
        "ours, ONNX float32": "float32",
        "ours, ONNX int8": "int8-channel",
    }

    def measured(port: int, clients: int) -> dict:
        closed_loop(port, asked[:20], clients)
        labels, taken, whole = closed_loop(port, asked, clients)
        p50, p99 = (float(part) * 1e3 for part in np.quantile(taken, (0.5, 0.99)))
        same = sum(a == b for a, b in zip(labels, right, strict=True))
        speed = {"rps": round(len(asked) / whole, 1), "p50": round(p50, 1), "p99": round(p99, 1)}
        return {"clients": clients, **speed, "same": same, "of": len(asked)}

    for name, kind in kinds.items():
        with running(kind, folder) as port:
            for clients in (1, CLIENTS):
                rows.append({"name": name, **measured(port, clients)})
                print(rows[-1], flush=True)
    for most, wait in ((1, 0.0), (16, 0.0), (16, 0.005)):
        with running("torch", folder, most, wait) as port:
            for clients in (1, 16):
                batches.append(
                    {"name": "torch float32", "most": most, "wait_ms": wait * 1e3, **measured(port, clients)}
                )
                print(batches[-1], flush=True)
    return rows, batches


def waiting(folder: Path, texts: list[str]) -> list[dict]:
    """Requests at random times: how long they take, beside Pollaczek-Khinchine with the services of a lone client."""
    rows = []
    rng = np.random.default_rng(stream_seed("arrivals", 0))
    with running("torch", folder) as port:
        asked = [texts[i] for i in rng.integers(len(texts), size=ARRIVALS)]
        closed_loop(port, asked[:20], 1)
        _, services, _ = closed_loop(port, asked, 1)
        mean, variance = services.mean(), services.var()
        for load in LOADS:
            gaps = rng.exponential(mean / load, ARRIVALS)
            taken = open_loop(port, asked, np.cumsum(gaps))
            by_lindley = queueing.lindley(gaps, services).mean() + mean
            theory = mean + queueing.mean_wait(load / mean, mean, variance)
            row = {
                "load": load,
                "theory": round(theory * 1e3, 2),
                "lindley": round(by_lindley * 1e3, 2),
                "measured": round(taken.mean() * 1e3, 2),
                "p99": round(float(np.quantile(taken, 0.99)) * 1e3, 1),
                "service": round(mean * 1e3, 2),
                "service_sd": round(variance**0.5 * 1e3, 2),
            }
            rows.append(row)
            print(row, flush=True)
    return rows


def open_loop(port: int, texts: list[str], at: np.ndarray) -> np.ndarray:
    """Seconds that each request takes, sent at its time whether the ones before it are answered or not."""
    taken, free, begin = np.zeros(len(texts)), [], time.perf_counter() + 0.2
    lock = threading.Lock()

    def one(number: int) -> None:
        with lock:
            connection = free.pop() if free else http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        ask(connection, [texts[number]])
        taken[number] = time.perf_counter() - begin - at[number]
        with lock:
            free.append(connection)

    threads = []
    for number, when in enumerate(at):
        time.sleep(max(0.0, begin + when - time.perf_counter()))
        threads.append(threading.Thread(target=one, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return taken


# --- searches -------------------------------------------------------------------------------------------------------


def scores(parameters: dict, vectors: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Probabilities of the queries, (queries, classes), for one setting of the hyperparameters."""
    middle = vectors.mean(axis=0) if parameters["centred"] else np.zeros(vectors.shape[1])
    vectors, queries = vectors - middle, queries - middle
    found = fit_probe(vectors, labels, folds=0, C=parameters["C"]).probabilities(queries)
    names = np.unique(labels)
    centres = np.stack([vectors[labels == name].mean(axis=0) for name in names])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return (1 - parameters["mixed"]) * found + parameters["mixed"] * softmax(20 * queries @ centres.T)


def accuracy(
    parameters: dict, vectors: np.ndarray, labels: np.ndarray, queries: np.ndarray, truth: np.ndarray
) -> float:
    names = np.unique(labels)
    return float((names[scores(parameters, vectors, labels, queries).argmax(axis=1)] == truth).mean())


def validated(file: str, parameters: dict, seed: int) -> float:
    """Accuracy on two of the five messages of each intent, after learning from the other three. The seed is of no use here."""
    with np.load(file) as data:
        learn, check = data["learn"], data["check"]
        return accuracy(
            parameters, data["vectors"][learn], data["labels"][learn], data["vectors"][check], data["labels"][check]
        )


def searches(folder: Path, train: tuple, test: tuple) -> list[dict]:
    """The default beside the best of random search and of TPE, each on 120 messages, over several draws of these."""
    methods = {"default": None, "random search": "random", "TPE": "tpe"}
    validation, tested = ({name: [] for name in methods} for _ in range(2))
    for draw in range(DRAWS):
        rows = draw_shots(train[1].tolist(), SHOTS, stream_seed("messages to search on", draw))
        vectors, labels = train[0][rows], train[1][rows]
        learn = np.arange(len(rows)) % SHOTS < 3  # draw_shots returns the five of a class in a row
        file = str(folder / f"draw{draw}.npz")
        np.savez(file, vectors=vectors, labels=labels, learn=learn, check=~learn)
        for name, sampler in methods.items():
            best = DEFAULT
            if sampler:
                found = search.search(
                    partial(validated, file),
                    SPACE,
                    storage=f"sqlite:///{folder / f'{sampler}{draw}.db'}",
                    name="probe",
                    trials=TRIALS,
                    seed=draw,
                    sampler=sampler,
                )
                best = max(found, key=lambda trial: trial.value).parameters
            validation[name].append(validated(file, best, 0))
            tested[name].append(accuracy(best, vectors, labels, *test))
    rows = []
    for name in methods:
        gap = np.array(tested[name]) - np.array(tested["default"])
        row = {"method": name, "trials": TRIALS if methods[name] else 0, "draws": DRAWS}
        row |= {"validation": rounded(over_seeds(validation[name])), "test": rounded(over_seeds(tested[name]))}
        row["test_minus_default"] = rounded(over_seeds(gap))
        rows.append(row)
        print(row, flush=True)
    return rows


def winners_curse(train: tuple) -> dict:
    """The best of ten candidates that are equally good beside their mean: measured, and as the expected maximum says.

    The candidates of a split are one recipe, each fitted on other messages of the same number.
    """
    excess, sds = [], []
    for split in range(SPLITS):
        rng = np.random.default_rng(stream_seed("equal candidates", split))
        values = []
        check = draw_shots(train[1].tolist(), 2, stream_seed("messages to check on", split))
        rest = np.setdiff1d(np.arange(len(train[1])), check)
        for _ in range(EQUAL):
            chosen = rest[draw_shots(train[1][rest].tolist(), 3, int(rng.integers(2**31)))]
            values.append(accuracy(DEFAULT, train[0][chosen], train[1][chosen], train[0][check], train[1][check]))
        excess.append(max(values) - np.mean(values))
        sds.append(np.std(values, ddof=1))
    half = 1.96 * np.std(excess, ddof=1) / np.sqrt(SPLITS)
    row = {
        "candidates": EQUAL,
        "splits": SPLITS,
        "excess": [round(float(np.mean(excess) + d), 4) for d in (0, -half, half)],
        "within_sd": round(float(np.mean(sds)), 4),
        "expected": round(search.expected_best(EQUAL, float(np.mean(sds))), 4),
    }
    print(row, flush=True)
    return row


def at_work(file: str, parameters: dict, seed: int) -> float:
    """As `validated`, on messages drawn by the seed: a value that depends on it."""
    rng = np.random.default_rng(seed)
    with np.load(file) as data:
        vectors, labels = data["vectors"], data["labels"]
    learn = np.zeros(len(labels), bool)
    for name in np.unique(labels):
        learn[rng.choice(np.flatnonzero(labels == name), 3, replace=False)] = True
    return accuracy(parameters, vectors[learn], labels[learn], vectors[~learn], labels[~learn])


def several_processes(folder: Path, postgresql: str | None) -> list[dict]:
    """One plan computed by one process and by two, on each storage, and by Optuna's own threads."""
    import optuna

    work, rows, reference = partial(at_work, str(folder / "draw0.npz")), [], None
    storages = {"SQLite": f"sqlite:///{folder / 'plan.db'}"} | ({"PostgreSQL": postgresql} if postgresql else {})
    for storage, address in storages.items():
        for count in (1, 2):
            started = time.perf_counter()
            arguments = {"storage": address, "name": f"{count} {os.getpid()}", "trials": PLAN_TRIALS, "seed": 0}
            found = search.search(work, SPACE, processes=count, **arguments)
            reference = reference or found
            row = {"storage": storage, "processes": count, "seconds": round(time.perf_counter() - started, 1)}
            rows.append(
                row | {"trials": len(found), "same": sum(a == b for a, b in zip(found, reference, strict=True))}
            )
            print(rows[-1], flush=True)

    def by_threads() -> list[dict]:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), direction="maximize")
        study.optimize(lambda trial: work(search._draw(trial, SPACE), trial.number), n_trials=PLAN_TRIALS, n_jobs=2)
        return [trial.params for trial in study.get_trials()]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    same = sum(a == b for a, b in zip(by_threads(), by_threads(), strict=True))
    rows.append({"storage": "memory, Optuna's n_jobs=2, twice", "processes": 1, "trials": PLAN_TRIALS, "same": same})
    print(rows[-1], flush=True)
    return rows


# --- several devices ------------------------------------------------------------------------------------------------


def several_devices(folder: Path) -> list[dict]:
    """Fine-tuning as each command starts it, beside one process."""
    launchers = {
        "python": [sys.executable],
        "accelerate launch --cpu --num_processes 2": launcher("accelerate", "launch", "--cpu", "--num_processes", "2"),
        "torchrun --nproc_per_node 2": launcher("torchrun", "--standalone", "--nproc_per_node", "2"),
    }
    rows = []
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    for name, command in launchers.items():
        out = folder / f"{len(rows)}.safetensors"
        started = time.perf_counter()
        program = [*command, "-m", "babyagi_lib.apps.devices", "--out", str(out)]
        subprocess.run(program, check=True, capture_output=True, env=environment, timeout=600)
        row = {"launch": name, **devices.compare(folder / "0.safetensors", out)}
        rows.append(row | {"seconds": round(time.perf_counter() - started, 1)})
        print(rows[-1], flush=True)
    return rows


def launcher(name: str, *arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name(name)), *arguments]


# --- the checklist --------------------------------------------------------------------------------------------------


def checklists(folder: Path) -> list[dict]:
    """Every point, for the help desk, the server of a classifier, and the careless service of the tests."""
    from babyagi_lib.apps.desk.log import decisions

    store = folder / "desk.sqlite"
    careless = [str(Path(__file__).parents[1] / "tests" / "checked_server.py"), "careless"]
    tried = {
        "help desk": (
            "desk",
            checklist.desk_service,
            {"log": lambda: decisions(store), "bundle": folder / "bundle"},
        ),
        "classifier": ("limited", checklist.classifier_service, {"bundle": folder / "bundle"}),
        "careless": (None, checklist.desk_service, {}),
    }
    rows: dict[str, dict] = {}
    for name, (kind, service, known) in tried.items():
        port = free_port()
        served = (
            [__file__, "--serve", str(kind), str(folder), str(port), "1", "0"] if kind else [*careless, str(port), ""]
        )
        processes = [start(served, port)]

        def restart(processes: list = processes, served: list = served, port: int = port) -> None:
            processes[-1].kill()
            processes[-1].wait()
            processes.append(start(served, port))

        found = checklist.check_service(service(f"http://127.0.0.1:{port}"), restart=restart, **known)
        processes[-1].kill()
        processes[-1].wait()
        print(f"{name}\n{checklist.table(found)}", flush=True)
        words = {True: "yes", False: "NO", None: "-"}
        for one in found:
            rows.setdefault(one.name, {"check": one.name})[name] = words[one.passed]
            rows[one.name][f"{name}: seen"] = one.line.partition(" File ")[0]  # no path of this machine
    return list(rows.values())


# --- all ------------------------------------------------------------------------------------------------------------


def rounded(found: Interval) -> list[float]:
    return [round(float(part), 4) for part in found]


def aims(result: dict) -> list[Aim]:
    rows = {(row["name"], row["clients"]): row for row in result["server"]}
    ours, theirs = rows["ours, ONNX float32", 1], rows["transformers' pipeline", 1]
    variants = results.by_name({"runs": result["variants"]})
    graph, reference = variants["ONNX float32"], variants["torch float32"]
    return [
        Aim(
            "serving a classifier, one client, requests/s, p99",
            "transformers' pipeline behind the same FastAPI",
            f"{theirs['rps']:.0f}, {theirs['p99']:.0f} ms",
            f"{ours['rps']:.0f}, {ours['p99']:.0f} ms",
            results.times(ours["rps"] / theirs["rps"]),
            "1.2×, the same answers",
            ours["rps"] >= 1.2 * theirs["rps"] and ours["same"] == ours["of"],
        ),
        Aim(
            "a classifier as an ONNX graph, one message on one thread",
            "torch, float32",
            f"{reference['alone_ms']:.1f} ms",
            f"{graph['alone_ms']:.1f} ms",
            results.times(reference["alone_ms"] / graph["alone_ms"]),
            "1.2×, the same answers",
            reference["alone_ms"] >= 1.2 * graph["alone_ms"] and graph["same"] == graph["of"],
        ),
    ]


conclusions = results.stating(aims)


def table(result: dict) -> list[dict]:
    """The rows that the book shows."""
    rows = []
    for row in result["variants"]:
        low, high = row["gain"][1:]
        rows.append(
            {
                "name": row["name"],
                "ms_one_message": row["alone_ms"],
                "ms_among_32": row["together_ms"],
                "mb": row["mb"],
                "largest_difference": row["largest"],
                "same_answers": f"{row['same']} of {row['of']}",
                "accuracy": row["accuracy"],
                "gain": f"{row['gain'][0]:+.3f} [{low:+.3f}, {high:+.3f}]",
            }
        )
    for row in result["server"]:
        same = f"{row['same']} of {row['of']}"
        speed = {"requests_a_second": row["rps"], "p50_ms": row["p50"], "p99_ms": row["p99"]}
        rows.append({"name": f"served: {row['name']}, clients: {row['clients']}", "same_answers": same, **speed})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--postgresql", help="address of an empty database, for SQLAlchemy")
    parser.add_argument("--serve", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        kind, folder, port, most, wait = given.serve
        serve(kind, Path(folder), int(port), int(most), float(wait))
        return
    torch.set_num_threads(1)
    started = time.perf_counter()
    encoder, tokenizer = load_encoder()
    corpus = load_intents()
    texts = {split: list(corpus[split]["text"]) for split in ("train", "test")}
    labels = {split: np.array(corpus[split]["category"]) for split in ("train", "test")}
    classifier = fit_classifier(encoder, tokenizer, texts["train"], labels["train"].tolist())
    truth = np.searchsorted(classifier.names, labels["test"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundle.save_bundle(folder / "bundle", classifier, costs=COSTS, card={"Purpose": "a benchmark"})
        expected = [classifier.names[i] for i in classifier.logits(texts["test"]).argmax(axis=1)]
        found = {"variants": variants(folder, classifier, texts["test"], truth)}
        found["server"], found["batching"] = servers(folder, texts["test"], expected)
        found["waiting"] = waiting(folder, texts["test"])
        data = {split: (encode(encoder, tokenizer, texts[split]), labels[split]) for split in ("train", "test")}
        found["search"] = searches(folder, data["train"], data["test"])
        found["curse"] = winners_curse(data["train"])
        found["processes"] = several_processes(folder, given.postgresql)
        found["devices"] = several_devices(folder)
        found["checklist"] = checklists(folder)
    results.write(
        "serving",
        title="A classifier, exported and served",
        data="support_intents, 480 test messages; CPU milliseconds a message on one thread; answers beside those of torch in "
        "float32, one message at a time; gain in accuracy with its paired 95% interval; "
        f"{REQUESTS} requests to a server in a process of its own",
        model=f"a probe on {results.MINILM}",
        packages=["onnx", "onnxruntime", "onnxscript", "fastapi", "uvicorn", "optuna"],
        conclusions=conclusions,
        settings={
            "together": TOGETHER,
            "requests": REQUESTS,
            "arrivals": ARRIVALS,
            "draws": DRAWS,
            "shots": SHOTS,
            "trials": TRIALS,
            "space": SPACE,
            "default": DEFAULT,
        },
        seconds=round(time.perf_counter() - started),
        runs=table(found),
        **found,
    )


if __name__ == "__main__":
    main()
