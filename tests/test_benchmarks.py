"""What the benchmarks conclude from what they measure: the table of aims, the exponents, the parts of the scripts."""

import copy
import dataclasses
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from conftest import tiny_encoder

from babyagi_course import measured, parts
from babyagi_course.errors import CourseError
from babyagi_course.lessons import Course
from babyagi_course.notebooks import figures
from babyagi_lib.learner.publishing import MIME, bundle
from babyagi_lib.models.adapters import lora
from babyagi_lib.rl import preferences as rl_preferences
from babyagi_lib.worlds import part_notes

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # the scripts, which are no package

import deadline  # noqa: E402
import fetch  # noqa: E402
import fewshot_banking77  # noqa: E402
import gate as gates  # noqa: E402
import gpu  # noqa: E402
import growth  # noqa: E402
import hub  # noqa: E402
import loglog  # noqa: E402
import ner_finetuning  # noqa: E402
import q_learning  # noqa: E402
import restate  # noqa: E402
import results  # noqa: E402
import rlhf_smollm2  # noqa: E402
import same_twice  # noqa: E402
import startup  # noqa: E402
import table  # noqa: E402
import task_loop  # noqa: E402
import training_speed  # noqa: E402
import whole_course  # noqa: E402

# What they leave behind


def test_a_result_names_its_machine_and_versions_and_appears_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "__file__", str(tmp_path / "results.py"))
    told = {"title": "T", "data": "D", "model": "M"}
    results.write("made_up", **told, packages=["pytest"], settings={"repeats": 3}, runs=[{"name": "one"}])
    left = json.loads((tmp_path / "made_up.json").read_text(encoding="utf-8"))
    assert left.items() >= (told | {"settings": {"repeats": 3}, "runs": [{"name": "one"}]}).items()
    assert "CPU core" in left["machine"] and re.fullmatch(r"\d{4}-\d\d-\d\d", left["date"])
    assert left["versions"]["pytest"] == pytest.__version__ and left["versions"]["torch"]

    with pytest.raises(TypeError):  # what JSON does not have
        results.write("made_up", **told, runs=[{"name": "two", "score": object()}])
    assert json.loads((tmp_path / "made_up.json").read_text(encoding="utf-8")) == left
    assert {path.name for path in tmp_path.iterdir()} == {"made_up.json"}


def test_every_result_has_its_script():
    assert restate.scripts().keys() >= {path.stem for path in BENCHMARKS.glob("*.json")}


def test_a_result_carries_what_the_book_shows_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "__file__", str(tmp_path / "results.py"))
    runs = [{"name": "one", "tokens_per_second": 5}, {"name": "two", "share": 0.5}]
    results.write("made_up", title="How fast", data="D", model="M", runs=runs)
    page = parts.published(tmp_path)
    shown = page[page.index("## Published run: How fast") :].splitlines()
    assert shown[2:6] == ["| run | tokens per second | share |", "|---|---|---|", "| one | 5 |  |", "| two |  | 0.5 |"]
    assert shown[7].startswith("M; D. Measured on ") and "torch 2." in shown[7]


def test_what_a_benchmark_concludes_is_written_with_what_it_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "__file__", str(tmp_path / "results.py"))
    told = {"title": "T", "data": "D", "model": "M"}
    results.write("made_up", **told, runs=RESULTS["q_learning"]["runs"], conclusions=q_learning.conclusions)
    [aim] = measured.aims(measured.all_of(tmp_path))
    assert (aim.work, aim.ours, aim.met) == ("Q-learning, Taxi, updates/s", "1,000,000", True)


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.json")), ids=lambda path: path.stem)
def test_every_published_result_concludes_what_its_script_concludes_now(path):
    """So that no row, reason or table was typed, and none was left behind when a script changed."""

    def without_pixels(result):  # which another matplotlib draws otherwise
        return re.sub(r"base64,[\w+/=]+", "", json.dumps(result))

    published = json.loads(path.read_text(encoding="utf-8"))
    assert without_pixels(restate.restated(path.stem)) == without_pixels(published)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"title": "T"', r"made_up\.json cannot be read .* run its program"),
        ('{"title": "T"}', r"made_up\.json lacks markdown"),
        ('{"title": "T", "markdown": [], "aims": [{"work": "all of it"}]}', r"T: .*missing 6 required .*restate\.py"),
    ],
)
def test_a_damaged_result_is_named(tmp_path, text, said):
    (tmp_path / "made_up.json").write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match=said):
        parts.published(tmp_path)


# The aims

RESULTS = {  # every aim just met
    "ner_conll2003": {
        "tokens_per_second_in_alternation": {
            "peer": [90, 100, 110],
            "peer, batches of 16": [95, 100, 100],
            "ours": [790, 800, 820],
        },
        "speed_ratio_in_alternation": 8.0,
        "speed_ratio_to_batches_of_16": 8.0,
        "share_of_matrix_rate": 0.30,
        "runs": [
            {"name": name, "tokens_per_second": speed, "entity_f1_each_word_alone": 0.87}
            for name, speed in (
                ("this course's loop, with the input adapter", 800),
                ("transformers' run_ner recipe", 100),
                ("this course's loop", 810),
                ("this course's loop, another seed", 820),
            )
        ],
    },
    "ner_prediction": {
        "runs": [
            {"name": "prediction, this course", "sentences_per_second": 500, "entity_f1": 0.8},
            {"name": "prediction, the pipeline", "sentences_per_second": 100, "entity_f1": 0.801, "ratio": 5.0},
            {
                "name": "prediction, the pipeline, batch_size=64",
                "sentences_per_second": 100,
                "entity_f1": 0.8,
                "ratio": 5,
            },
            {"name": "evaluation, this course", "sentences_per_second": 500, "entity_f1": 0.8},
            {
                "name": "evaluation, the Trainer and seqeval",
                "sentences_per_second": 90,
                "entity_f1": 0.8,
                "ratio": 5.5,
            },
        ]
    },
    "fewshot_banking77": {
        "runs": [
            {"method": "setfit, defaults", "shots": 8, "seconds_estimated": 9000.0},
            {"method": "setfit, 20 pairs of each kind", "shots": 8, "seconds": 30.0, "accuracy": 0.8},
            {"method": "ours, contrastive tuning, linear probe", "shots": 8, "seconds": 10.0, "accuracy": 0.8},
        ]
    },
    "q_learning": {
        "runs": [
            {
                "name": "Taxi",
                "plain_updates_per_second": 50_000,
                "together_updates_per_second": 1_000_000,
                "ratio": 20.0,
            }
        ]
    },
    "agents": {
        "targets": {"DQN, FrozenLake": "90% of V*"},
        "profiles": {"DQN, FrozenLake": [{"function": "mm", "share": 0.5}]},
        "runs": [
            {"name": f"DQN, FrozenLake, {side}", "steps_per_second": steps, "seconds_for_each_that_got_there": seconds}
            for side, steps, seconds in (
                ("stable-baselines3", 100, 10.0),
                ("a single-file loop", 200, 5.0),
                ("ours, side by side", 1000, 1.0),
                ("ours, one run", 100, 10.0),
            )
        ],
    },
    "preferences": {
        "profiles": {f"{method}, ours": [{"function": "mm", "share": 0.5}] for method in ("GRPO", "DPO")},
        "runs": [
            row
            for method in ("GRPO", "DPO")
            for row in (
                {"name": f"{method}, ours", "steps_per_second": 50, "memory_mb": 10, "ratio": 5.0},
                {"name": f"{method}, TRL", "steps_per_second": 10, "memory_mb": 50},
            )
        ],
    },
    "fetch": {
        "runs": [
            {"name": fetch.MINIGRID, "steps_per_second": 5_000},
            {"name": fetch.ARRAYS, "steps_per_second": 500_000},
            {"name": fetch.LESSON, "seconds": 8.0, "steps": 250_000, "right": 0.99},
            {"name": fetch.SB3, "seconds": 8.0, "steps": 10_000, "right": 0.98},
        ],
    },
    "startup": {
        "settings": {"aimed": startup.AIMED},
        "runs": [
            {"name": "python, doing nothing", "seconds": 0.02},
            {"name": "import torch", "seconds": 1.8},
            {"name": "import babyagi_lib", "seconds": 0.03, "more_than_torch": -1.77},
            {"name": "import babyagi_lib.training.loop", "seconds": 1.9, "more_than_torch": 0.1},
            {"name": "help of the tool", "seconds": 0.299, "more_than_python": 0.279},
        ],
    },
    "whole_course": {
        "runs": [
            {"name": "from nothing", "seconds": 1199},
            {"name": "again, nothing changed", "seconds": 59.9},
            {"name": "the book alone", "seconds": 29.9},
        ]
    },
    "serving": {
        "runs": [{"name": "torch float32"}],
        "server": [
            {"name": "transformers' pipeline", "clients": 1, "rps": 100.0, "p99": 20.0, "same": 200, "of": 200},
            {"name": "ours, ONNX float32", "clients": 1, "rps": 120.0, "p99": 15.0, "same": 200, "of": 200},
        ],
        "variants": [
            {"name": "torch float32", "alone_ms": 10.0, "same": 480, "of": 480},
            {"name": "ONNX float32", "alone_ms": 8.0, "same": 480, "of": 480},
        ],
    },
}


def folder_of(found: dict, folder: Path) -> Path:
    """A folder of results, each with what its script concludes from it."""
    told = {"title": "T", "data": "D", "model": "M", "machine": "2 cores", "date": "2026-01-01", "versions": {}}
    for name, result in found.items():
        script = importlib.import_module(restate.scripts()[name])
        whole = results.concluded(told | result, getattr(script, "conclusions", None))
        (folder / f"{name}.json").write_text(json.dumps(whole), encoding="utf-8")
    return folder


def aims_in(folder: Path) -> list[measured.Aim]:
    return measured.aims(measured.all_of(folder))


def test_the_aims_of_made_up_results_are_met(tmp_path):
    found = aims_in(folder_of(RESULTS, tmp_path))
    assert [aim.met for aim in found] == [True] * 26
    by_work = {aim.work: aim for aim in found}
    tuning = by_work["fine-tuning on CoNLL-2003, three epochs, tokens/s and F1"]
    assert tuning.theirs == "100, 0.870" and tuning.ratio == "8.0×"
    few = by_work["77 intents, 8 examples of each, seconds and accuracy"]
    assert few.cells[1:4] == ("setfit, 20 pairs of each kind: 30 s, 0.800", "10 s, 0.800", "1/3")
    assert by_work["again, nothing changed"].cells[2:] == ("60 s", "", "under 60 s", "yes")


@pytest.mark.parametrize(
    ("name", "path", "value", "unmet"),
    [
        ("ner_conll2003", ["runs", 0, "tokens_per_second"], 799, "fine-tuning"),
        ("ner_conll2003", ["speed_ratio_in_alternation"], 7.9, "the same in turns"),
        ("ner_conll2003", ["speed_ratio_to_batches_of_16"], 7.9, "the same in turns"),
        ("ner_conll2003", ["runs", 0, "entity_f1_each_word_alone"], 0.869, "fine-tuning"),
        ("ner_conll2003", ["runs", 2, "entity_f1_each_word_alone"], 0.869, "the same without"),
        ("ner_conll2003", ["share_of_matrix_rate"], 0.29, "the same, share"),
        ("ner_prediction", ["runs", 1, "ratio"], 4.9, "prediction"),
        ("ner_prediction", ["runs", 2, "ratio"], 4.9, "prediction"),
        ("ner_prediction", ["runs", 2, "entity_f1"], 0.7, "prediction"),
        ("ner_prediction", ["runs", 4, "ratio"], 4.9, "evaluation"),
        ("fewshot_banking77", ["runs", 2, "seconds"], 10.1, "77 intents"),
        ("fewshot_banking77", ["runs", 2, "accuracy"], 0.79, "77 intents"),
        ("q_learning", ["runs", 0, "ratio"], 19.9, "Q-learning, Taxi"),
        ("q_learning", ["runs", 0, "together_updates_per_second"], 999_000, "Q-learning, Taxi"),
        ("agents", ["runs", 0, "steps_per_second"], 201, "DQN, FrozenLake"),
        ("agents", ["runs", 1, "seconds_for_each_that_got_there"], 4.9, "DQN, FrozenLake"),
        ("preferences", ["runs", 0, "ratio"], 4.9, "GRPO on a small GPT, steps/s"),
        ("preferences", ["runs", 2, "memory_mb"], 10.1, "DPO on a small GPT, memory"),
        ("fetch", ["runs", 1, "steps_per_second"], 499_999, "Fetch-8x8-N3, steps/s"),
        ("fetch", ["runs", 2, "right"], 0.98, "Fetch-8x8-N3, right things"),
        ("serving", ["server", 1, "rps"], 119.0, "serving a classifier, one client"),
        ("serving", ["server", 1, "same"], 199, "serving a classifier, one client"),
        ("serving", ["variants", 1, "alone_ms"], 8.4, "a classifier as an ONNX graph"),
        ("serving", ["variants", 1, "same"], 479, "a classifier as an ONNX graph"),
        ("startup", ["runs", 2, "more_than_torch"], 0.11, "import babyagi_lib"),
        ("startup", ["runs", 3, "more_than_torch"], 0.11, "import babyagi_lib.training.loop"),
        ("startup", ["runs", 4, "seconds"], 0.3, "help of the tool"),
        ("whole_course", ["runs", 0, "seconds"], 1201, "every lesson and the book"),
        ("whole_course", ["runs", 1, "seconds"], 61, "again"),
        ("whole_course", ["runs", 2, "seconds"], 31, "the book alone"),
    ],
)
def test_what_misses_an_aim_is_said_to_miss_it(tmp_path, name, path, value, unmet):
    changed = copy.deepcopy(RESULTS)
    place = changed[name]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    [aim] = [aim for aim in aims_in(folder_of(changed, tmp_path)) if not aim.met]
    assert aim.met is False and aim.cells[-1] == "no" and aim.work.startswith(unmet)


def test_setfits_default_plan_is_the_peer_where_it_was_run_to_its_end():
    result = copy.deepcopy(RESULTS["fewshot_banking77"])
    result["runs"][0] |= {"seconds": 9000.0, "accuracy": 0.81}
    [aim] = fewshot_banking77.aims(result)
    assert aim.peer == "setfit, defaults" and aim.theirs == "9,000 s, 0.810" and aim.met is False


def test_every_script_that_states_aims_has_measured_them():
    stating = {name for name, script in restate.scripts().items() if hasattr(importlib.import_module(script), "aims")}
    assert stating == set(RESULTS), "each of them has a made-up result above"
    for name in stating:
        assert json.loads((BENCHMARKS / f"{name}.json").read_text(encoding="utf-8"))["aims"]


def test_what_stands_in_the_way_is_told_of_every_published_aim_that_is_missed_and_of_no_other():
    found = aims_in(BENCHMARKS)
    assert [aim.work for aim in found if aim.hindrance] == [aim.work for aim in found if not aim.met]


def test_the_printed_table_and_the_books_are_one(monkeypatch, capsys):
    """On the published results: every row, and what stands in the way of an aim that is not met."""
    first, second, *others = aims_in(BENCHMARKS)
    missed = dataclasses.replace(first, met=False, hindrance="Something in its way.")
    met = dataclasses.replace(second, met=True, hindrance="Nothing any more.")
    monkeypatch.setattr(measured, "aims", lambda _: [missed, met, *others])
    monkeypatch.setenv("COLUMNS", "250")
    table.main()
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    page = parts.published(BENCHMARKS).replace("\u00a0", " ")
    for aim in (missed, met, *others):
        assert " ".join(cell for cell in aim.cells if cell) in printed
        assert "| " + " | ".join(aim.cells) + " |" in page
    assert printed.count("Something in its way.") == page.count("Something in its way.") == 1
    assert "Nothing any more." not in printed + page
    assert page.index("## Beside what people would use") < page.index("## Published run")


def test_a_narrow_terminal_cuts_nothing_off(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    table.main()
    assert "…" not in capsys.readouterr().out


def test_lesson_4_may_say_what_it_says_of_dropout():
    """Leaving it out saves a third of the time, and costs less F1 than another seed moves."""
    result = json.loads((BENCHMARKS / "ner_conll2003.json").read_text(encoding="utf-8"))
    runs = {run["name"]: run for run in result["runs"]}
    without = [runs["this course's loop"], runs["this course's loop, another seed"]]
    dropping = [runs["this course's loop, with dropout"], runs["the same, another seed"]]
    seconds = [sum(run["training_seconds"] for run in both) for both in (without, dropping)]
    assert 1 - seconds[0] / seconds[1] == pytest.approx(1 / 3, abs=0.05)
    scores = np.array([[run["entity_f1_each_word_alone"] for run in both] for both in (without, dropping)])
    assert scores.mean(axis=1)[1] - scores.mean(axis=1)[0] < np.ptp(scores, axis=1).min()


# Growth


def test_an_exponent_is_found_with_its_error():
    sizes = [10, 100, 200, 400, 800]
    cubes = [5.0] + [2e-3 * size**1.5 for size in sizes[1:]]
    assert growth.exponent(sizes, cubes, start=100) == pytest.approx((1.5, 0), abs=1e-9)
    assert growth.exponent(sizes, cubes, start=10)[0] < 1.2, "the first point is off the line, and was not left out"
    draw = np.random.default_rng(0)
    many = [
        growth.exponent(sizes, [size * np.exp(0.1 * draw.standard_normal()) for size in sizes], 10) for _ in range(300)
    ]
    slopes, errors = np.array(many).T
    assert slopes.mean() == pytest.approx(1, abs=0.01)
    assert np.sqrt((errors**2).mean()) == pytest.approx(slopes.std(), rel=0.15), "the error says how much slopes vary"
    with pytest.raises(ValueError, match="three sizes from 400 on, and there are 2"):
        growth.exponent(sizes, cubes, start=400)


def test_each_curve_is_fitted_to_its_own_runs():
    runs = [
        {"against": against, "size": size, "seconds": size**power, "memory_mb": 7.0 * size ** (2 * power)}
        for against, power in (("sentences", 1), ("states", 0), ("runs", 0.5))
        for size in (1000, 2000, 4000)
    ]
    found = {(curve["against"], curve["of"]): curve["exponent"] for curve in growth.curves(runs)}
    assert found == {
        ("sentences", "seconds"): 1,
        ("sentences", "memory_mb"): 2,
        ("states", "seconds"): 0,
        ("states", "memory_mb"): 0,
        ("runs", "seconds"): 0.5,
        ("runs", "memory_mb"): 1,
    }


def hold(megabytes: int) -> dict:
    return growth.measured(lambda: bytearray(os.urandom(2**20)) * megabytes) | {"process": os.getpid()}


def test_a_point_is_measured_in_a_process_of_its_own():
    """After a large one, the memory of a small one is its own."""
    large, small = growth.alone(hold, 200), growth.alone(hold, 20)
    assert len({large["process"], small["process"], os.getpid()}) == 3
    assert 200 <= large["memory_mb"] < 230 and 20 <= small["memory_mb"] < 50
    assert large["seconds"] > 0


def test_the_worlds_are_worlds_of_that_size():
    world = growth.drawn_world(50)
    assert (world.states, world.actions) == (50, growth.ACTIONS) and world.acting.all()
    assert growth.with_runs(4, "")["seconds"] > 0


CURVE = {"against": "runs", "of": "seconds", "from_size": 10, "exponent": 1.0, "standard_error": 0.02}


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_a_drawing_has_every_point_and_a_line_of_that_exponent(exponent):
    points = [(1, 3), (10, 1), (100, 10**exponent), (1000, 100**exponent)]
    figure = loglog.drawing(points, CURVE | {"exponent": exponent}, "seconds")
    (axes,) = figure.axes
    dots, line = axes.lines
    assert dots.get_xydata().tolist() == [list(point) for point in points]
    assert line.get_xydata() == pytest.approx(np.array([points[1], points[-1]])), "from the first size it was fitted to"
    figure.canvas.draw()
    left, right = axes.get_xlim()
    labels = [tick.get_text() for tick in axes.get_xticklabels(which="both") if left <= tick.get_position()[0] <= right]
    labels = [label for label in labels if label]
    assert {"10", "100", "1,000"} <= {*labels} and len(labels) <= 6
    (left, right), (low, high) = np.log10(axes.get_xlim()), np.log10(axes.get_ylim())
    frame = axes.get_window_extent()
    scales = frame.width / (right - left), frame.height / (high - low)
    assert scales[0] == pytest.approx(scales[1], rel=0.01), "a decade is as long upwards"
    assert left < 0 and right > 3 and low < 0 and high > np.log10(max(value for _, value in points))
    plt.close(figure)


def test_the_page_draws_a_result_that_has_curves(tmp_path):
    runs = [
        {"name": f"{against} {size}", "against": against, "size": size, "seconds": size / 7, "memory_mb": size * 2.0}
        for against in ("sentences", "states", "runs")
        for size in (600, 1200, 2400)
    ]
    growing = {
        "growth": {"runs": runs, "curves": growth.curves(runs)},
        "q_learning": RESULTS["q_learning"],
    }
    page = parts.published(folder_of(growing, tmp_path))
    captions = re.findall(r"<figcaption>(.+): exponent 1.00 ± 0.00, from", page)
    assert captions == ["training"] * 2 + ["tabular learner"] * 4
    alts = re.findall(r'<img src="data:image/png;base64,[\w+/=]+" alt="([^"]+)">', page)
    assert len(alts) == 6 and alts[0].startswith("seconds against sentences, from 85.7143 at 600 to 342.857 at 2,400;")
    html = page[page.index("<style>") : page.index("</div>")]
    assert "\n\n" not in html, "an empty line would end the HTML"


# A class on a hub


def test_what_a_learner_needs_is_that_of_one_with_one_core():
    run = {"seconds": 60.4, "core_seconds_a_learner": 24.0, "memory_a_learner_gb": 0.5}
    told = {"data": "Lesson 0. Start here: it is, by six learners", "machine": "4 CPU cores, x86_64, Linux"}
    runs = [run | {"cpu_limit": "none", "seconds": 90.0}, run | {"cpu_limit": "1"}]
    assert hub.conclusions(told | {"runs": runs})["learner"] == {
        "lesson": "lesson 0",
        "memory_gb": 0.5,
        "core_seconds": 24.0,
        "measured": "Lesson 0. Start here: it is, by six learners, with one thread each: 60 seconds on 4 CPU cores, 0.50 GB "
        "for each learner",
    }
    assert hub.conclusions(told | {"runs": runs[:1]}) == {}


# What makes training fast


def test_each_way_changes_one_thing_of_the_recipe():
    ways = [dataclasses.asdict(way) for way in training_speed.WAYS.values()]
    assert [sum(way[key] != ways[0][key] for key in way) for way in ways] == [0] + [1] * (len(ways) - 1)


def test_padding_is_a_share_of_what_is_computed():
    assert training_speed.padding([3, 3, 5], [[0, 1], [2]]) == 0
    assert training_speed.padding([2, 4], [[0, 1]]) == 0.25


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::addmm", "matrix products"),
        ("aten::add_", "sums"),
        ("aten::copy_", "casts and copies"),
        ("aten::gelu_backward", "GELU"),
        ("aten::native_layer_norm_backward", "norms of layers"),
        ("aten::_fused_adamw_", "optimiser and clipping"),
        ("aten::empty_strided", "new memory"),
        ("aten::embedding", "everything else"),
    ],
)
def test_operations_are_told_apart(operation, kind):
    assert training_speed.kind(operation) == kind


# The same twice


def test_what_differs_is_told_to_the_bit_and_as_it_is_seen():
    def entry(**values):
        units = {"seconds": "s"}
        made = [(f"the {name}", value, units.get(name, "")) for name, value in values.items()]
        return {"01_one": {"title": "Lesson 1. One: of two", "figures": bundle(["nothing", *made])[MIME]["figures"]}}

    rows, moved = same_twice.compared(
        {
            "first": entry(score=0.5, loss=0.2, seconds=1.0),
            "when run again": entry(score=0.5, loss=0.2, seconds=2.0),
            "with one thread": entry(score=0.5001, loss=0.25, seconds=3.0),
        }
    )
    assert rows == [
        {"name": "Lesson 1. One", "figures": 2, "differ_when_run_again": 0, "differ_with_one_thread": 2},
        {"name": "Lesson 1. One: the loss", "two_threads": "0.200", "one_thread": "0.250"},
    ]
    assert [(one["figure"], one["run"], one["first"], one["then"]) for one in moved] == [
        ("the score", "with one thread", 0.5, 0.5001),
        ("the loss", "with one thread", 0.2, 0.25),
    ]


def test_what_is_said_of_other_threads_is_what_was_measured():
    """The same seed gives the same; on one thread scores and perplexities move little, and no conclusion changes."""
    result = json.loads((BENCHMARKS / "same_twice.json").read_text(encoding="utf-8"))
    assert [row.get("differ_when_run_again", 0) for row in result["runs"]] == [0] * len(result["runs"])
    moves = {(one["lesson"], one["figure"]): (one["first"], one["then"]) for one in result["differing"]}
    moves.pop(
        ("03_binary_cross_entropy", "largest difference of a weight, own gradient and torch"), None
    )  # in units of rounding itself
    perplexities = [moves.pop(key) for key in list(moves) if key[1].startswith("perplexity")]
    most = max(abs(two - one) for one, two in moves.values())
    share = max((abs(two / one - 1) for one, two in perplexities), default=0)
    teaching = (BENCHMARKS.parent / "book" / "teaching.md").read_text(encoding="utf-8")
    assert most < float(re.search(r"scores move by less than ([\d.]+)", teaching)[1]) < 2 * most
    assert 100 * share < float(re.search(r"perplexities by less than ([\d.]+)%", teaching)[1])


def test_the_masked_model_of_lesson_1_ends_between_its_baselines_on_any_number_of_threads():
    """What the lesson concludes from it: better than the bigram, not as good as counting both sides."""
    result = json.loads((BENCHMARKS / "same_twice.json").read_text(encoding="utf-8"))
    ends = [
        value
        for one in result["differing"]
        if (one["lesson"], one["figure"]) == ("01_pretraining", "perplexity, hidden piece")
        for value in (one["first"], one["then"])
    ]
    lesson = next(lesson for lesson in Course.find().lessons if lesson.name == "01_pretraining")
    ends.append(next(f["value"] for f in figures(lesson.notebook) if f["label"] == "perplexity, hidden piece"))
    printed = json.dumps(lesson.notebook)
    bigram, both = (
        float(re.search(rf"hidden piece +{name} +loss [\d.]+ +perplexity +([\d.]+)", printed)[1])
        for name in ("bigram", "both sides")
    )
    assert all(both < end < bigram for end in ends)


# What it costs to start


def test_the_dearest_imports_are_summed_by_package():
    report = """noise
import time: self [us] | cumulative | imported package
import time:      1000 |       1000 |     rich.text
import time:      2500 |       3500 |   rich
import time:      3000 |       9000 | typer
import time:        10 |         10 | re
"""
    assert startup.dearest(report, 2) == {"rich": 3.5, "typer": 3.0}


def test_every_module_of_the_library_is_started():
    names = startup.starts()
    library = BENCHMARKS.parent / "babyagi_lib"
    for path in library.rglob("*.py"):
        module = ".".join(path.relative_to(library.parent).with_suffix("").parts)
        assert f"import {module}" in names or path.name == "__init__.py"
    assert {f"import {module}" for module in startup.AIMED} < set(names)
    assert not [name for name in names if "babyagi_course" in name]
    assert {peer for _, peer in names.values()} <= set(names)
    with pytest.raises(subprocess.CalledProcessError):
        startup.seconds([sys.executable, "-c", "import no_such_module"])


@pytest.mark.skipif(os.environ.get("BABYAGI_VERSIONS") == "oldest", reason="the oldest typer loads rich in any case")
def test_help_loads_neither_rich_nor_torch_nor_numpy():
    """What would make `babyagi --help` slow, without a clock; and no command's line is cut off."""
    program = "import sys; from babyagi_course.cli import main; sys.argv = ['babyagi', '--help']; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "80"},
    )
    spent = startup.dearest(done.stderr, 1000)
    assert "typer" in spent and not {"rich", "torch", "numpy", "IPython", "transformers"} & spent.keys()
    commands = done.stdout.partition("Commands:")[2]
    assert "refresh" in commands and "..." not in commands


# Parts within a deadline

MADE_UP_PARTS = """
import os, time
from deadline import OutOfTime

def two(chosen, ends):
    yield {"name": chosen, "left": ends - time.time()}
    yield {"name": "two"}

def hangs(chosen, ends):
    yield {"name": "before"}
    time.sleep(60)

def fails(chosen, ends):
    yield {"name": "before"}
    raise ValueError("no such thing\\nas line 2")

def dies(chosen, ends):
    yield {"name": "before"}
    os._exit(3)

def stops(chosen, ends):
    yield {"name": "before"}
    raise OutOfTime("another turn would not fit")
"""


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """A module of parts that a new process can import."""
    (tmp_path / "made_up_parts.py").write_text(MADE_UP_PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("made_up_parts")
    del sys.modules["made_up_parts"]


@pytest.mark.parametrize(
    ("name", "reason", "failed"),
    [
        ("hangs", "ended after 6 s, its share of the time", False),
        ("fails", "ValueError: no such thing", True),
        ("dies", "its process died, with exit code 3", True),
        ("stops", "another turn would not fit", False),
    ],
)
def test_what_a_part_measured_stays_and_why_it_ended_is_told(made_up, name, reason, failed):
    started = time.time()
    outcome = deadline.alone(getattr(made_up, name), None, 6)
    assert time.time() - started < 9
    assert (outcome.rows, outcome.reason, outcome.failed) == ([{"name": "before"}], reason, failed)
    assert 0 < outcome.seconds < 9 and outcome.allowed == 6


def test_the_time_that_a_part_leaves_is_for_those_behind_it(made_up):
    parts = [
        deadline.Part("first", 1, 1, made_up.two),
        deadline.Part("second", 2, 1, made_up.two),
        deadline.Part("third", 1, 500, made_up.two),
    ]
    (_, first), (_, second), (_, third) = deadline.outcomes(parts, "chosen", time.time() + 400)
    assert first.allowed == pytest.approx(100, abs=1), "a quarter"
    assert second.allowed == pytest.approx(2 / 3 * (400 - first.seconds), abs=1)
    assert first.reason is None and [row["name"] for row in first.rows] == ["chosen", "two"]
    assert first.rows[0]["left"] == pytest.approx(100 - deadline.RESERVE, abs=10)
    assert third.rows == [] and not third.failed and re.fullmatch(r"not begun: \d+ s .* needs 500 s", third.reason)


# A GPU


@pytest.mark.parametrize(
    ("name", "teraflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H100 NVL", 835),
        ("NVIDIA H200", 989),
        ("NVIDIA A100-SXM4-40GB", 312),
        ("NVIDIA A100 80GB PCIe", 312),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
        ("Tesla T4", 65),
        ("NVIDIA L40", None),
        ("NVIDIA GH200 480GB", None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),
        (None, None),
    ],
)
def test_the_peak_is_that_of_the_card(name, teraflops):
    assert gpu.peak(name) == (teraflops and teraflops * 1e12)


def test_operations_are_those_that_torch_counts():
    """In matrix products, forward and backward, of a batch without padding."""
    from torch.utils.flop_counter import FlopCounterMode

    encoder = tiny_encoder().train()
    encoder.pooler = None
    encoder.set_attn_implementation("eager")
    with FlopCounterMode(display=False) as counted:
        encoder(input_ids=torch.ones(3, 7, dtype=torch.long)).last_hidden_state.sum().backward()
    assert ner_finetuning.operations(encoder, [7] * 3) == counted.get_total_flops()


def sides(**speeds):
    """Sides that report these speeds one after the other, compared with the first."""
    first = next(iter(speeds))
    return {
        name: gpu.Side(iter(found).__next__, beside="" if name == first else first) for name, found in speeds.items()
    }


SIZES = dataclasses.replace(gpu.TINY, turns=3, width=8)


def test_the_first_turn_does_not_count_and_sides_are_compared_within_a_turn():
    compared = sides(theirs=[1.0, 100.0, 200.0, 300.0], ours=[9.0, 300.0, 400.0, 600.0])
    found = gpu.in_turns(compared, SIZES, time.time() + 60)
    assert found.speeds == {"theirs": [100, 200, 300], "ours": [300, 400, 600]} and len(found.rates) == 3
    found = dataclasses.replace(found, rates=[1e6, 1e6, 2e6], memory={"theirs": 0, "ours": 3_000_000_000})
    theirs, ours = gpu.rows("M", compared, found, per_token=1000, promised=4e6)
    assert theirs == {
        "name": "M, theirs",
        "tokens_per_second": 200,
        "share_of_peak": 0.05,
        "share_of_matrix_rate": 0.15,
        "turns": 3,
    }
    assert (ours["times_the_trainer"], ours["share_of_peak"], ours["peak_memory_gb"]) == (2, 0.1, 3)
    assert "share_of_peak" not in next(gpu.rows("M", compared, found, per_token=1000, promised=None))
    theirs, ours = gpu.rows("M", compared, dataclasses.replace(found, rates=[]))
    assert theirs == {"name": "M, theirs", "steps_per_second": 200, "turns": 3} and ours["times_the_trainer"] == 2


def test_turns_end_in_time(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(gpu, "time", SimpleNamespace(time=lambda: clock[0], perf_counter=time.perf_counter))

    def slow():
        clock[0] += 10
        return 1.0

    found = gpu.in_turns({"slow": gpu.Side(slow)}, dataclasses.replace(SIZES, turns=100), ends=45)
    assert clock == [40] and len(found.rates) == len(found.speeds["slow"]) == 3
    with pytest.raises(deadline.OutOfTime, match="only the turn that does not count was done: it took 10 s"):
        gpu.in_turns({"slow": gpu.Side(slow)}, SIZES, ends=55)


def test_a_side_that_the_cards_memory_is_too_small_for_is_left_out():
    def large():
        raise torch.OutOfMemoryError

    compared = sides(theirs=[1.0] * 4, ours=[2.0] * 4) | {"large": gpu.Side(large, "theirs")}
    found = gpu.in_turns(compared, SIZES, time.time() + 60)
    *measured_rows, left_out = gpu.rows("M", compared, found, 1, None)
    assert left_out == {"name": "M, large", "note": "left out: the card's memory is too small"}
    assert [row["turns"] for row in measured_rows] == [3, 3]
    compared = {"large": gpu.Side(large)} | sides(ours=[2.0] * 4)
    compared["ours"] = dataclasses.replace(compared["ours"], beside="large")
    found = gpu.in_turns(compared, SIZES, time.time() + 60)
    assert "times_the_trainer" not in [*gpu.rows("M", compared, found, 1, None)][1]


def test_memory_is_the_peak_of_this_training_alone(monkeypatch):
    peaks = [0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: peaks.append(0))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: peaks[-1])

    def training(needed):
        peaks[-1] = max(peaks[-1], needed)
        return 1.0

    assert [gpu.once(lambda n=n: training(n)) for n in (700, 300)] == [(1.0, 700), (1.0, 300)]


def test_a_result_names_the_card_and_the_peak_that_is_assumed(monkeypatch):
    about = SimpleNamespace(
        name="NVIDIA H100 80GB HBM3", total_memory=85e9, multi_processor_count=132, major=9, minor=0
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: about)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (device,) = gpu.card(None, 0)
    assert gpu.file_name(device) == "nvidia_h100_80gb_hbm3"
    told = gpu.described(gpu.Chosen(None, "embedded", gpu.USUAL), device)
    assert told["device"].items() >= {"compute_capability": "9.0", "memory_gb": 85.0, "driver": "unknown"}.items()
    assert told["title"] == "Fine-tuning on a GPU, NVIDIA H100 80GB HBM3" and told["machine"].startswith(about.name)
    assert "of 989 TFLOP/s, NVIDIA's data sheet" in told["data"] and told["peak_operations_per_second"] == 989e12
    about.name = "NVIDIA X1"
    (device,) = gpu.card(None, 0)
    assert "NVIDIA X1 is not among the known" in gpu.described(gpu.Chosen(None, "embedded", gpu.TINY), device)["data"]


@pytest.fixture
def no_gpu(monkeypatch):
    """As on a machine without a GPU; what the program sets in the environment is undone afterwards."""
    for name, value in {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_without_a_gpu_nothing_is_measured_and_that_is_said(no_gpu, tmp_path, capsys):
    assert gpu.main(["--out", str(tmp_path)]) == 1
    assert "no GPU that PyTorch can use here, so nothing was measured" in capsys.readouterr().out
    assert not [*tmp_path.iterdir()]
    with pytest.raises(SystemExit):
        gpu.main([str(tmp_path / "conll"), "--tiny"])
    assert "there is no folder" in capsys.readouterr().err


def test_a_tiny_run_tries_every_part(no_gpu, tmp_path, tokenizer, capsys):
    encoder = tmp_path / "encoder"
    tiny_encoder().half().save_pretrained(encoder)
    tokenizer.save_pretrained(encoder)
    corpus = BENCHMARKS.parent / "data" / "newswire"
    out = tmp_path / "out"
    assert gpu.main([str(corpus), "--encoder", str(encoder), "--tiny", "--minutes", "8", "--out", str(out)]) == 0
    assert "only tries the program, and measures nothing" in capsys.readouterr().out

    [path] = out.iterdir()
    assert path.name == "gpu_tried_without_gpu.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    assert (
        result["device"] is None and "there was no GPU" in result["data"] and "too small to measure" in result["title"]
    )
    assert "read from a folder, F16; precision " in result["model"]
    assert [part["part"] for part in result["parts"]] == [part.name for part in gpu.PARTS]
    runs = results.by_name(result)
    assert not [run for run in result["runs"] if "share_of_peak" in run or "peak_memory_gb" in run]
    with_trl = importlib.util.find_spec("trl") is not None
    notes = [(run["name"], run["note"]) for run in result["runs"] if "note" in run]
    assert notes == ([] if with_trl else [(gpu.GRPO, "left out: not installed: trl")])
    assert ("trl" in result["versions"]) == with_trl
    speeds = [run for run in result["runs"] if run["name"].startswith("BERT-base") or "MiniLM, full" in run["name"]]
    assert len(speeds) == 6 + 2 * gpu.SEEDS and all(run["tokens_per_second"] > 0 for run in speeds)
    assert runs["BERT-base, random weights, this course's fit, batches of 4"]["times_the_trainer"] > 0
    assert runs["MiniLM, this course's recipe, batches of 12,288 pieces"]["times_the_trainer"] > 0
    assert 0 <= runs["MiniLM, full training, run_ner's recipe in 16 bits, batches of 8, seed 42"]["entity_f1"] <= 1
    assert "## Published run: Fine-tuning on a GPU, tried without one" in parts.published(out)


def test_a_gpu_has_a_table_for_each_kind_of_measurement():
    runs = [
        {"name": "BERT-base, random weights, a, b", "turns": 2},
        {"name": "product of two matrices, 9 wide", "tflops": 1.0},
        {"name": "MiniLM, a recipe", "turns": 1},
        {"name": "MiniLM, full training, a recipe", "seconds": 1.0},
        {"name": gpu.GRPO, "note": "left out"},
    ]
    told = {"model": "m", "data": "d", "machine": "x", "date": "today", "versions": {}}
    lines = gpu.conclusions(told | {"runs": runs})["markdown"]
    heads = {title: head for title, _, head in zip(lines, lines[1:], lines[2:], strict=False) if title.endswith(":")}
    assert heads == {
        "BERT-base, random weights:": "| run | turns |",
        "Matrices:": "| run | TFLOP/s |",
        "MiniLM:": "| run | turns |",
        "MiniLM, full training:": "| run | seconds |",
        f"{gpu.GRPO}:": "| run | note |",
    }
    assert "| BERT-base, random weights, a, b | 2 |" in lines and f"| {gpu.GRPO} | left out |" in lines
    assert lines[-1].startswith("m; d. Measured on x, today.")


def test_no_time_is_a_reason_in_the_table(no_gpu, tmp_path):
    assert gpu.main(["--tiny", "--minutes", "1", "--out", str(tmp_path)]) == 0
    [path] = tmp_path.iterdir()
    result = json.loads(path.read_text(encoding="utf-8"))
    notes = [run["note"] for run in result["runs"]]
    assert len(notes) == len(gpu.PARTS) and all(note.startswith("not begun: ") for note in notes)
    assert "| MiniLM | not begun: " in "\n".join(result["markdown"])


def test_a_small_copy_of_the_encoder_can_be_sent(no_gpu, tmp_path, monkeypatch, tokenizer, capsys):
    monkeypatch.setattr(
        gpu, "load_encoder", lambda name="embedded": (tiny_encoder(), tokenizer) if name == "embedded" else loaded(name)
    )
    loaded = importlib.import_module("babyagi_lib.sources.encoders").load_encoder
    assert gpu.main(["--pack", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert 0 < float(re.search(r"rounding changes (\S+)", said)[1]) < 2e-3
    assert gpu.weights(str(tmp_path / "minilm")) == "read from a folder, F16"


def test_the_result_of_every_machine_is_this_programs(tmp_path, monkeypatch):
    shutil.copy(BENCHMARKS / "gpu.py", tmp_path)
    (tmp_path / "gpu_nvidia_x1.json").write_text("{}")
    monkeypatch.setattr(restate, "HERE", tmp_path)
    assert restate.scripts() == {"gpu_nvidia_x1": "gpu"}


# The whole course


def checkout(root: Path) -> Path:
    """A checkout whose tool only notes where it was called, in a process that it starts elsewhere."""
    tool = root / "babyagi_course" / "cli.py"
    for folder in (tool.parent, root / "babyagi_lib"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
    tool.write_text(
        """
import json, pathlib, subprocess, sys, time
def main():
    time.sleep(0.3)  # memory is looked at ten times a second
    where = "import babyagi_lib; print(babyagi_lib.__file__)"
    found = subprocess.run([sys.executable, "-c", where], cwd="/", capture_output=True, text=True).stdout.strip()
    build = pathlib.Path("build")
    build.mkdir(exist_ok=True)
    with (build / "calls").open("a") as file:
        file.write(f"{sys.argv[1]} {found}\\n")
    entry = {"title": "Lesson 1. Made up: it is", "seconds": 1.5, "peak_memory_mb": 9}
    (build / "report.json").write_text(json.dumps({"lessons": {"01_made_up": entry}}))
"""
    )
    (root / ".gitignore").write_text("build/\n")
    (root / "build").mkdir()
    (root / "build" / "report.json").write_text("an old run")
    git = ["git", "-C", str(root), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    return root


def test_the_course_is_measured_in_a_clone_with_the_clones_library(tmp_path):
    folder = whole_course.clone(checkout(tmp_path / "here"), tmp_path / "a clone")
    assert not (folder / "build").exists()
    runs = whole_course.measure(folder)
    assert [run["name"] for run in runs] == [*whole_course.STAGES, "Lesson 1. Made up, of it"]
    assert all(run["seconds"] > 0 and run["peak_memory_mb"] > 5 for run in runs)
    library = folder / "babyagi_lib" / "__init__.py"
    calls = (folder / "build" / "calls").read_text().splitlines()
    assert calls == [f"course {library}", f"course {library}", f"book {library}"]


def test_a_stage_that_fails_has_no_time(tmp_path):
    with pytest.raises(CourseError, match="no such lesson"):
        whole_course.timed("raise SystemExit('no such lesson')", tmp_path)


# SmolLM2 with lesson 09's reward


@pytest.fixture
def sentences():
    """A policy of sentences with a random model that reads bytes, and a function that makes one with other weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    def by_byte(text, **_):
        return {"input_ids": list(text.encode())}

    notes = part_notes.write_notes(3, np.random.default_rng(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"vocab_size": 256, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
        model = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2, max_position_embeddings=512)).eval()
    return lambda model=model: rlhf_smollm2.Sentences(model, by_byte, notes), notes


@torch.no_grad()
def test_texts_read_as_a_tree_are_as_probable_as_each_by_itself(sentences):
    make, notes = sentences
    policy = make()
    found = policy.likelihoods()
    for row, words in enumerate(notes.texts):
        for column, answer in enumerate(rlhf_smollm2.ANSWERS):
            asked = list(rlhf_smollm2.question(words).encode())
            ids = torch.tensor([[*asked, *f" {answer}".encode()]])
            log_p = policy.model(ids).logits[0, :-1].log_softmax(dim=1)
            expected = log_p.gather(1, ids[0, 1:, None])[len(asked) - 1 :].sum()
            assert found[row, column].item() == pytest.approx(expected.item(), abs=1e-3)
    assert torch.allclose(policy().exp().sum(dim=1), torch.ones(3))
    tokens = policy.input_ids.numel()
    assert tokens < 2 * ids.numel(), "the rules are read once"


def test_only_lora_learns_and_begins_at_the_reference(sentences):
    make, notes = sentences
    plain = make()
    log_reference = plain().detach()
    rewards = torch.tensor(notes.rewards()).float()
    policy = make(lora(copy.deepcopy(plain.model), 2, ["q_proj", "v_proj"]))
    assert torch.allclose(policy(), log_reference, atol=1e-6)
    learned = rl_preferences.learn(policy, rewards, "exact", beta=0.1, steps=3, rate=1e-2)
    changed = {
        name
        for (name, before), after in zip(policy.named_parameters(), learned.parameters(), strict=True)
        if not torch.equal(before, after)
    }
    assert changed and all("lora_" in name for name in changed)
    start, end = (
        rl_preferences.evaluate(log_p, log_reference, rewards, 0.1) for log_p in (log_reference, learned().detach())
    )
    assert end.objective > start.objective
    assert rlhf_smollm2.above_frontier(end, log_reference, rewards) < 1e-6
    better = end._replace(reward=end.reward + 10)
    assert rlhf_smollm2.above_frontier(better, log_reference, rewards) > 1


def test_the_published_policies_of_smollm2_have_the_published_scores():
    published = json.loads((BENCHMARKS / "rlhf_smollm2.json").read_text(encoding="utf-8"))
    rewards = torch.tensor(published["rewards"])
    tables = {name: torch.tensor(table) for name, table in published["log_policies"].items()}
    reference, beta = tables["reference"], published["settings"]["beta"]
    tables["optimum"] = rl_preferences.optimum(reference, rewards, beta)
    rows = results.by_name(published)
    assert rows.keys() == tables.keys() and len(reference) == published["settings"]["notes"]
    for name, log_p in tables.items():
        score = rl_preferences.evaluate(log_p, reference, rewards, beta)
        for key, value in score._asdict().items():
            assert rows[name][key] == pytest.approx(value, abs=2e-4), (name, key)
        assert score.objective <= rows["optimum"]["objective"] + 1e-4
        assert rlhf_smollm2.above_frontier(score, reference, rewards) < 1e-5


# The gate


@pytest.mark.parametrize("gain", [0.0, gates.GAIN, -gates.GAIN])
def test_the_evidence_of_the_gates_has_the_mean_and_the_limits_that_are_said(gain):
    for evidence in (gates.explored(0.1, gain), gates.explored(0.3, gain, centre=-0.2), gates.split(0.1, gain)):
        atoms, p, least, most = evidence
        assert p.sum() == pytest.approx(1) and atoms @ p == pytest.approx(gain, abs=1e-9)
        assert least - 1e-9 <= atoms.min() and atoms.max() <= most + 1e-9


def test_the_least_value_of_a_sample_is_that_of_each_repetition():
    atoms = np.array([-2.0, -1.0, 0.0, 1.0])
    counts = np.array([[0, 0, 0, 9], [0, 0, 5, 0], [0, 1, 0, 60], [1, 1, 0, 3], [0, 40, 9, 2]])
    assert gates.sampled_least(counts, atoms).tolist() == [True, False, True, False, False]


# Agents with tools


def test_the_settings_of_the_task_loop_add_and_leave_out_one_mechanism_each():
    arms = task_loop.arms()
    added = [name for name in arms if not name.startswith("all but")]
    whole = arms[added[-1]]
    assert len(arms) == 11 and whole.keys() == {"ask_with_task", "same", "stable", "keep", "check"}
    for name, fewer in list(arms.items())[len(added) :]:
        key = next(iter(task_loop.MECHANISMS[name.removeprefix("all but: ")]))
        assert {k: v for k, v in fewer.items() if v is not False} == {k: v for k, v in whole.items() if k != key}


def test_effects_that_nobody_asked_for_are_counted():
    task = next(task for task in task_loop.make_tasks(16, 0) if task.kind == "refund")
    order = task.asks[0]["order"]
    made = [
        task_loop.call("show_order", order=order),
        task_loop.call("refund", order=order, cents=5),
        task_loop.call("refund", order=order + 1, cents=5),
        task_loop.call("delete_order", order=order),
    ]
    assert task_loop.unasked(task, made) == made[2:]


def test_numbers_of_all_seeds_are_added_and_shares_are_means():
    seeds = [{"guard": {"tasks": 16, "done": done, "deleted": deleted}} for done, deleted in ((0.5, 3), (1.0, 4))]
    assert task_loop.together(seeds) == {"guard": {"tasks": 32, "done": 0.75, "deleted": 7}}


def test_an_agent_with_a_guard_makes_only_calls_that_are_allowed():
    task = next(task for task in task_loop.make_tasks(16, 0) if task.kind == "claim")
    plan = task_loop.shortest_plan(task)
    eager = task_loop.models.Rules(lambda prompt, texts: [text.startswith("delete") for text in texts])
    _, without = task_loop.guarded(task, eager, None)
    _, made = task_loop.guarded(
        task, eager, task_loop.Guard(task_loop.shop_policy(), approve=task_loop.attacks.careful(plan))
    )
    assert task_loop.unasked(task, without) and not task_loop.unasked(task, made) and made
