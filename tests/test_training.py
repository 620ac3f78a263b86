"""The loop learns, keeps the best, stops when asked, and gives the same result in one process and in two."""

import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import tiny_encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.profiler import ProfilerActivity, profile

from babyagi_lib.models import heads
from babyagi_lib.training import loop, precision, prediction
from babyagi_lib.training.batches import count_items, grouped_batches, pad_batch
from babyagi_lib.training.loop import _parameter_groups, fit
from babyagi_lib.training.precision import best_precision
from babyagi_lib.training.prediction import predict

NAMES = ["O", "B-LOC", "I-LOC"]


def toy(count=64, seed=0):
    """Sentences of random pieces in which piece 2000 is a LOC: learnable at once."""
    draw = torch.Generator().manual_seed(seed)
    windows = []
    for _ in range(count):
        n = int(torch.randint(3, 12, (1,), generator=draw))
        pieces = torch.randint(2000, 2004, (n,), generator=draw).tolist()
        windows.append(
            {
                "input_ids": [101, *pieces, 102],
                "case_ids": [4, *[0] * n, 4],
                "labels": [-100, *[int(p == 2000) for p in pieces], -100],
            }
        )
    return windows


def tagger(**options):
    encoder = tiny_encoder(**options)
    torch.manual_seed(1)
    model = heads.TokenTagger(encoder, NAMES)
    model.head.dropout.p = options.get("dropout", 0.0)
    return model


def accuracy(model, windows):
    answers = predict(model, windows)
    pairs = [
        (a, y)
        for ans, w in zip(answers, windows, strict=True)
        for a, y in zip(ans.argmax(1), w["labels"], strict=True)
        if y != -100
    ]
    return sum(a == y for a, y in pairs) / len(pairs)


FIT = {"epochs": 4, "batch_tokens": 80, "learning_rate": 5e-3, "precision": "no"}


def test_it_learns_and_records_its_steps():
    model, windows = tagger(), toy()
    run = fit(model, windows, score=lambda m: accuracy(m, windows), **FIT)
    assert accuracy(model, windows) > 0.99
    batches = grouped_batches([len(w["input_ids"]) for w in windows], FIT["batch_tokens"], 0)
    assert len(run.scores) == 4 and len(batches) > 4
    assert [s["epoch"] for s in run.steps] == [e for e in (1, 2, 3, 4) for _ in batches]
    assert [s["step"] for s in run.steps] == list(range(1, 4 * len(batches) + 1))
    assert [(s["epoch"], s["step"]) for s in run.scores] == [(e, e * len(batches)) for e in (1, 2, 3, 4)]
    assert run.tokens == 4 * sum(len(w["input_ids"]) for w in windows)
    assert run.steps[-1]["loss"] < run.steps[0]["loss"] / 5
    assert run.stopped == "finished" and run.precision == "no" and run.seconds > 0
    assert not model.training


@pytest.mark.parametrize("warmup", [0, 0.25, 0.3, 1])
@pytest.mark.parametrize("head_rate", [None, 3e-3])
def test_the_history_has_the_rate_that_each_step_used(monkeypatch, warmup, head_rate):
    """Linear from peak/ramp up to the peak, then down: the last step still has one of the falling steps' rate."""
    used, step = [], torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW,
        "step",
        lambda self, *args, **kwargs: used.append([g["lr"] for g in self.param_groups]) or step(self, *args, **kwargs),
    )
    run = fit(tagger(), toy(), warmup=warmup, head_learning_rate=head_rate, **FIT)
    recorded = [s["learning_rate"] for s in run.steps]
    assert recorded == [rates[0] for rates in used]
    total, ramp = len(recorded), max(1, round(warmup * len(recorded)))
    up, down = [(n + 1) / ramp for n in range(ramp)], [(total - n) / max(1, total - ramp) for n in range(ramp, total)]
    assert recorded == pytest.approx([5e-3 * share for share in up + down])
    assert {max(rates) for rates in zip(*used, strict=True)} == {5e-3, head_rate or 5e-3}


def test_batches_of_ones_own():
    """The examples that meet are those asked for, in that order; examples may stay out or come twice."""
    windows, met = toy(8), []
    wanted = [[[0, 5], [3]], [[7, 7, 1]]]

    class Watch(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = torch.nn.Linear(1, 1)

        def forward(self, input_ids, attention_mask, case_ids, labels):
            met.append([row[mask > 0].tolist() for row, mask in zip(input_ids, attention_mask, strict=True)])
            return {"loss": self.encoder(torch.ones(1)).sum()}

    rate = {"learning_rate": 1e-3, "precision": "no"}
    run = fit(Watch(), windows, epochs=2, batches=lambda epoch: wanted[epoch], **rate)
    assert met == [[windows[i]["input_ids"] for i in batch] for epoch in wanted for batch in epoch]
    assert [s["epoch"] for s in run.steps] == [1, 1, 2]
    ways = {"batch_tokens": 8, "batch_size": 2, "batches": lambda epoch: wanted[0]}
    for wrong in ({}, ways, *({k: v for k, v in ways.items() if k != name} for name in ways)):
        with pytest.raises(ValueError, match="exactly one of batch_tokens, batch_size and batches"):
            fit(Watch(), windows, epochs=1, **wrong, **rate)


def test_same_seed_same_weights_other_seed_other_weights():
    def weights(seed):
        model = tagger(dropout=0.1)
        fit(model, toy(), **FIT, seed=seed)
        return model.head.linear.weight.detach()

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_the_best_weights_are_restored_and_patience_ends_training():
    scores = iter([0.5, 0.9, 0.1, 0.2, 0.3])
    seen = []

    def score(model):
        seen.append(model.head.linear.weight.detach().clone())
        return next(scores)

    model = tagger()
    run = fit(model, toy(), score=score, patience=2, **{**FIT, "epochs": 5})
    assert run.stopped == "early" and len(seen) == 4
    assert run.best_step == run.scores[1]["step"]
    assert torch.equal(model.head.linear.weight, seen[1])


@pytest.fixture
def ctrl_c():
    """Python's own answer to Ctrl-C, which a shell's background jobs start without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_returns_what_there_is(ctrl_c):
    model = tagger()

    steps = []

    def interrupt_in_the_second_epoch(*_):
        steps.append(1)
        if len(steps) == 12:
            os.kill(os.getpid(), signal.SIGINT)

    model.head.linear.register_full_backward_hook(interrupt_in_the_second_epoch)
    run = fit(model, toy(), score=lambda m: 1.0, **FIT)
    assert run.stopped == "interrupted"
    assert len(run.scores) == 1 and len(run.steps) > run.best_step == run.scores[0]["step"]
    assert accuracy(model, toy()) > 0


def test_decay_spares_biases_and_norms_and_new_layers_have_their_rate():
    model = tagger()
    names = {id(p): name for name, p in model.named_parameters()}
    groups = _parameter_groups(model, 0.01, rate=1e-4, head_rate=1e-3)
    assert sum(len(g["params"]) for g in groups) == len(names)
    for group in groups:
        for p in group["params"]:
            assert group["weight_decay"] == (0.01 if p.ndim > 1 else 0)
            assert group["lr"] == (1e-4 if names[id(p)].startswith("encoder.") else 1e-3)


def test_what_fit_does_unless_asked_otherwise():
    usual, asked, decayed = tagger(dropout=0.1), tagger(dropout=0.1), tagger(dropout=0.1)
    fit(usual, toy(), **FIT)
    fit(asked, toy(), **FIT, warmup=0.1, weight_decay=0.01, clip=1.0, seed=0, head_learning_rate=5e-3)
    fit(decayed, toy(), **FIT, weight_decay=0.5)
    assert torch.equal(usual.head.linear.weight, asked.head.linear.weight)
    assert usual.head.linear.weight.norm() > decayed.head.linear.weight.norm()


def test_examples_are_made_once_for_each_epoch():
    asked = []
    fit(tagger(), lambda epoch: asked.append(epoch) or toy(8, seed=epoch), **FIT)
    assert asked == [0, 1, 2, 3]


@pytest.mark.parametrize(("float32", "bfloat16", "best"), [(1.0, 0.6, "bf16"), (1.0, 0.7, "no"), (1.0, 2.0, "no")])
def test_the_faster_precision_is_chosen_by_its_best_time(monkeypatch, float32, bfloat16, best):
    """A clock that we turn: times in turns, some of them slowed down by other work."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    now, taken = [0.0], [float32, bfloat16]

    def clock():
        reading = len(now)
        spent = taken[(reading // 2 - 1) % 2] if reading % 2 == 0 else 0.3
        now.append(now[-1] + spent * (5 if reading in (2, 4, 10) else 1))
        return now[-1]

    monkeypatch.setattr(precision.time, "perf_counter", clock)
    assert best_precision.__wrapped__() == best


def test_a_model_with_too_few_answers_is_an_error():
    class Half(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def forward(self, input_ids, **rest):
            return {"logits": torch.zeros(len(input_ids) // 2, 3)}

    with pytest.raises(ValueError, match="zip"):
        predict(Half(), toy(4), batch_tokens=10**6)


def test_frozen_parameters_stay():
    model = tagger()
    model.encoder.requires_grad_(False)
    before = {k: v.clone() for k, v in model.encoder.state_dict().items()}
    fit(model, toy(), **FIT)
    assert all(torch.equal(before[k], v) for k, v in model.encoder.state_dict().items())


def test_a_large_gradient_is_clipped():
    def step(clip):
        model = tagger()
        before = model.head.linear.weight.detach().clone()
        options = {**FIT, "epochs": 1, "batch_tokens": 1000}
        run = fit(model, toy(8), **options, clip=clip, warmup=0, weight_decay=0)
        assert len(run.steps) == 1
        return (model.head.linear.weight - before).abs().sum().item()

    # Adam's first step is nearly blind to scale; a clip far below its epsilon makes the step itself small.
    assert step(1e-9) < step(1.0) / 5


def test_a_loss_that_is_not_finite_is_an_error():
    model = tagger()
    torch.nn.init.constant_(model.head.linear.weight, math.nan)
    with pytest.raises(FloatingPointError, match="step 1"):
        fit(model, toy(), **FIT)


def test_epochs_and_seeds_share_no_random_stream(monkeypatch):
    """Each epoch of each seed has an order of its own: epoch 1 of seed 0 is not epoch 0 of seed 1; so has dropout."""
    from accelerate import utils

    orders, dropout = {}, {}
    grouped, seeded = grouped_batches, utils.set_seed
    monkeypatch.setattr(utils, "set_seed", lambda seed: (dropout.setdefault(seed, len(dropout)), seeded(seed)))
    for seed in range(4):
        monkeypatch.setattr(
            loop,
            "grouped_batches",
            lambda lengths, *args, seed=seed: orders.setdefault((seed, len(orders)), grouped([9] * 64, *args)),
        )
        fit(tagger(), toy(), **FIT, seed=seed)
    assert len(orders) == 16 and len({str(order) for order in orders.values()}) == 16
    assert len(dropout) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"epochs": True},
        {"batch_tokens": 0},
        {"batch_tokens": 8.0},
        {"batch_size": 0, "batch_tokens": None},
        {"batch_size": True, "batch_tokens": None},
        {"learning_rate": 0},
        {"learning_rate": -1e-3},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"learning_rate": "1e-3"},
        {"head_learning_rate": 0},
        {"head_learning_rate": -1.0},
        {"warmup": -0.1},
        {"warmup": 1.1},
        {"warmup": math.nan},
        {"weight_decay": -0.01},
        {"clip": 0},
        {"clip": -1.0},
        {"clip": math.nan},
        {"patience": 0, "score": len},
        {"precision": "float32"},
        {"seed": -1},
        {"seed": 0.5},
    ],
)
def test_a_parameter_out_of_range_is_named(change):
    model = tagger()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ValueError, match=rf"^{next(iter(change))} is "):
        fit(model, toy(4), **{**FIT, **change})
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items()), "nothing was trained"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: [], "no examples"),
        (lambda e: [{k: v for k, v in x.items() if k != "labels"} for x in e], "training needs one of labels"),
        (lambda e: [e[0], {k: v for k, v in e[1].items() if k != "case_ids"}], "example 1 has the keys"),
        (lambda e: [e[0], {k: v for k, v in e[1].items() if k != "input_ids"}], "example 1 has the keys"),
        (lambda e: [{k: v for k, v in x.items() if k != "input_ids"} for x in e], "example 0 has no input_ids"),
        (lambda e: [e[0], {k: [] for k in e[1]}], "example 1 has no input_ids"),
        (lambda e: [e[0], e[1] | {"labels": e[1]["labels"][:-1]}], "example 1 has .* labels"),
        (lambda e: [x | {"labels": [-100] * len(x["labels"])} for x in e], "no example of step . has a label"),
    ],
)
def test_examples_that_cannot_be_learned_from(change, said):
    with pytest.raises(ValueError, match=said):
        fit(tagger(), change(toy(4)), **FIT)
    with pytest.raises(ValueError, match=said):  # in a later epoch, too
        fit(tagger(), lambda epoch: change(toy(4)) if epoch == 1 else toy(4), **FIT)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ([], "no batches in epoch 0"),
        ([[0], []], "a batch of epoch 0 has 0 examples"),
        ([[0, 4]], "there are 4"),
        ([[-1]], "there are 4"),
    ],
)
def test_batches_that_cannot_be_made(plan, said):
    options = {k: v for k, v in FIT.items() if k != "batch_tokens"}
    with pytest.raises(ValueError, match=said):
        fit(tagger(), toy(4), batches=lambda epoch: plan, **options)


def test_what_else_fit_refuses():
    with pytest.raises(ValueError, match="patience needs a score"):
        fit(tagger(), toy(4), **FIT, patience=1)
    with pytest.raises(ValueError, match="score after epoch 1 is nan"):
        fit(tagger(), toy(4), **FIT, score=lambda m: math.nan)
    with pytest.raises(ValueError, match="3 examples in epoch 1, 4 in epoch 0"):
        fit(tagger(), lambda epoch: toy(4 - epoch), **FIT)
    with pytest.raises(ValueError, match="no parameter of the model can be trained"):
        fit(tagger().requires_grad_(False), toy(4), **FIT)


def test_what_pad_batch_and_predict_refuse():
    with pytest.raises(ValueError, match="no examples"):
        pad_batch([])
    with pytest.raises(ValueError, match="3 input_ids, but 2 labels"):
        pad_batch([{"input_ids": [1, 2, 3], "labels": [0, 1]}])
    with pytest.raises(ValueError, match="batch_tokens is 0"):
        predict(tagger(), toy(2), batch_tokens=0)
    with pytest.raises(ValueError, match="at_least is 0"):
        grouped_batches([1], 8, 0, at_least=0)
    with pytest.raises(ValueError, match="example 1 has no input_ids"):
        predict(tagger(), [toy(1)[0], {"case_ids": []}])


@pytest.mark.parametrize("integer", [int, np.int64])
def test_padding_by_hand(integer):
    examples = [{"input_ids": [5, 6, 7], "labels": [1, -100, 2], "starts": integer(1)}]
    examples.append({"input_ids": [8], "labels": [0], "starts": integer(0)})
    assert {k: v.tolist() for k, v in pad_batch(examples).items()} == {
        "input_ids": [[5, 6, 7], [8, 0, 0]],
        "labels": [[1, -100, 2], [0, -100, -100]],
        "starts": [1, 0],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
    }


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_precisions_can_follow_one_another_in_one_process(precision):
    run = fit(tagger(), toy(), **{**FIT, "precision": precision, "epochs": 1})
    assert run.precision == precision
    assert all(math.isfinite(s["loss"]) for s in run.steps)


def test_fit_leaves_no_wrapper_on_the_model():
    model = tagger()
    fit(model, toy(8), **{**FIT, "precision": "bf16", "epochs": 1})
    assert model.forward.__func__ is heads.TokenTagger.forward


# --- examples that are not text ----------------------------------------------------------------------------


class Pictures(torch.nn.Module):
    """A small network for pictures of 8 x 8 pixels and one of ten digits in each."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 16, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(16 * 4 * 4, 10),
        )

    def forward(self, pixels, labels=None):
        logits = self.layers(pixels)
        loss = {} if labels is None else {"loss": torch.nn.functional.cross_entropy(logits.float(), labels)}
        return {"logits": logits} | loss


@pytest.fixture(scope="module")
def pictures():
    """Pairs of a picture (8, 8) and its digit, in random order: tuples, as torch's data sets have them."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    return [(digits.images[i].astype(np.float32) / 16, int(digits.target[i])) for i in order]


def stack(pairs):
    """The collate function that a reader would write."""
    pixels, labels = zip(*pairs, strict=True)
    return {"pixels": torch.tensor(np.stack(pixels)).unsqueeze(1), "labels": torch.tensor(labels)}


DIGITS = {"epochs": 8, "batch_size": 32, "learning_rate": 1e-2, "precision": "no", "collate": stack}


def test_a_picture_classifier(pictures):
    train, test = pictures[:1300], pictures[1300:]
    model = Pictures()

    def accuracy(model):
        logits = predict(model, test, batch_size=100, collate=stack)
        return np.mean([row.argmax() == digit for row, (_, digit) in zip(logits, test, strict=True)])

    run = fit(model, train, score=accuracy, **DIGITS)
    assert accuracy(model) == max(s["score"] for s in run.scores) > 0.95
    assert len(run.steps) == 8 * math.ceil(1300 / 32)
    assert run.tokens == 0 and run.tokens_per_second == 0
    assert model(**stack(test[:3]))["logits"].shape == (3, 10)


def test_pictures_are_batched_at_random_and_each_once_an_epoch(pictures):
    met = []

    def watched(pairs):
        met.append([digit for _, digit in pairs])
        return stack([(pictures[0][0], digit) for _, digit in pairs])

    numbered = [(None, i % 10) for i in range(50)]
    fit(Pictures(), numbered, **DIGITS | {"epochs": 2, "batch_size": 20, "collate": watched})
    assert sorted(len(batch) for batch in met[:3]) == sorted(len(batch) for batch in met[3:]) == [10, 20, 20]
    first, second = ([digit for batch in epoch for digit in batch] for epoch in (met[:3], met[3:]))
    assert sorted(first) == sorted(second) == sorted(digit for _, digit in numbered)
    assert len({tuple(first), tuple(second), tuple(digit for _, digit in numbered)}) == 3


def test_examples_without_labels_weigh_the_same(pictures):
    """A model may make its loss of anything; its items are then the examples."""

    class Copy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(64, 64)

        def forward(self, seen):
            return {"loss": ((self.layer(seen) - seen) ** 2).mean()}

    run = fit(
        Copy(),
        np.stack([picture.ravel() for picture, _ in pictures[:64]]),
        **DIGITS | {"collate": lambda rows: {"seen": torch.tensor(np.stack(rows))}},
    )
    assert run.steps[-1]["loss"] < run.steps[0]["loss"] / 2
    assert count_items({"seen": torch.zeros(3, 64)}) == 3
    assert count_items({"seen": torch.zeros(3, 64), "labels": torch.tensor([1, -100, 2])}) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"collate": lambda pairs: list(stack(pairs).values())}, "collate returned list; expected a dict of tensors"),
        ({"collate": lambda pairs: {}}, "collate returned dict of nothing; expected"),
        (
            {"collate": lambda pairs: stack(pairs) | {"labels": [0]}},
            "dict of pixels: Tensor, labels: list; expected a dict of tensors",
        ),
        (
            {"collate": lambda pairs: {"pixels": stack(pairs)["pixels"]}},
            r"returned a dict with \['logits'\]; .* 'loss'",
        ),
        ({"collate": lambda pairs: stack(pairs) | {"labels": torch.full((len(pairs),), -100)}}, "has a label to learn"),
        ({"collate": pad_batch}, "example 0 is a tuple; pad_batch batches text"),
        ({"batch_size": None, "batch_tokens": 80}, "example 0 has no input_ids, .* batch_size"),
    ],
)
def test_pictures_that_cannot_be_learned_from(pictures, change, said):
    with pytest.raises(ValueError, match=said):
        fit(Pictures(), pictures[:40], **DIGITS | change)


def test_pictures_that_cannot_be_predicted(pictures):
    for change, said in (
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": None}, "example 0 has no input_ids, .* batch_size"),
        ({"collate": pad_batch}, "example 0 is a tuple; pad_batch batches text"),
        ({"collate": lambda pairs: None}, "collate returned NoneType"),
    ):
        with pytest.raises(ValueError, match=said):
            predict(Pictures(), pictures[:4], **{"batch_size": 2, "collate": stack} | change)
    bare = Pictures()
    bare.forward = lambda pixels: pixels
    with pytest.raises(ValueError, match="the model returned a Tensor; expected a dict with 'logits'"):
        predict(bare, pictures[:4], batch_size=2, collate=stack)


@pytest.mark.parametrize("examples", [[], np.zeros((0, 8, 8))])
def test_no_pictures(examples):
    with pytest.raises(ValueError, match="no examples"):
        fit(Pictures(), examples, **DIGITS)


# --- batches -----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 60), max_size=300), st.integers(1, 400), st.integers(0, 5), st.integers(1, 3))
@settings(max_examples=300)
def test_every_example_is_in_exactly_one_batch(lengths, batch_tokens, seed, at_least):
    batches = grouped_batches(lengths, batch_tokens, seed, at_least)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert batches == grouped_batches(lengths, batch_tokens, seed, at_least)
    if len(lengths) >= at_least:
        assert all(len(batch) >= at_least for batch in batches)
    sizes, again = (
        sorted((len(batch), max(lengths[i] for i in batch)) for batch in found)
        for found in (batches, grouped_batches(lengths, batch_tokens, seed + 1, at_least))
    )
    assert sizes == again, "another epoch has other batches, of the same sizes"
    over = [b for b in batches if len(b) > at_least and max(lengths[i] for i in b) * len(b) > batch_tokens]
    assert len(over) <= (at_least > 1), "only a remainder too small to stand alone may make a batch larger"


def test_an_example_that_fills_a_batch_is_alone_in_it():
    assert sorted(grouped_batches([9] * 4, 9, 0)) == [[0], [1], [2], [3]]


def test_batches_have_about_equal_numbers_of_tokens():
    draw = torch.Generator().manual_seed(0)
    lengths = torch.randint(3, 60, (2000,), generator=draw).tolist()
    sizes = [sum(lengths[i] for i in batch) for batch in grouped_batches(lengths, 500, 0)]
    assert sum(size > 400 for size in sizes) > 0.95 * len(sizes)


def test_grouping_saves_padding():
    draw = torch.Generator().manual_seed(0)
    lengths = torch.randint(3, 60, (2000,), generator=draw).tolist()

    def padded(batches):
        return sum(max(lengths[i] for i in b) * len(b) for b in batches) / sum(lengths)

    plain = [list(range(i, i + 16)) for i in range(0, 2000, 16)]
    assert padded(grouped_batches(lengths, 500, 0)) < 1.05 < 1.5 < padded(plain)


def test_padding_changes_nothing():
    """A sentence alone and beside a longer one gives the same logits: the mask does its work."""
    model, windows = tagger().eval(), toy(20)
    short, long = sorted(windows, key=lambda w: len(w["input_ids"]))[:: len(windows) - 1]
    alone = model(**pad_batch([short]))["logits"][0]
    beside = model(**pad_batch([short, long]))["logits"][0, : len(short["input_ids"])]
    torch.testing.assert_close(alone, beside, atol=1e-5, rtol=1e-4)


def test_predict_keeps_the_order():
    model, windows = tagger(), toy(30)
    fit(model, windows, **FIT)
    together = predict(model, windows, batch_tokens=80)
    alone = [predict(model, [w])[0] for w in windows]
    assert [a.shape for a in together] == [(len(w["input_ids"]), len(NAMES)) for w in windows]
    assert all((a.argmax(1) == b.argmax(1)).all() for a, b in zip(together, alone, strict=True))
    assert predict(model, []) == []


def test_predict_casts_the_weights_once(monkeypatch):
    """Not for every batch: of what is cast, as much has the shape of a layer's weights as there are layers."""
    monkeypatch.setattr(prediction, "best_precision", lambda: "bf16")
    model, windows = tagger(), toy(60)
    shapes = [list(layer.intermediate.dense.weight.shape) for layer in model.encoder.encoder.layer]
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        predict(model, windows, batch_tokens=80)
    casts = [e.input_shapes[0] for e in seen.events() if e.name == "aten::_to_copy"]
    assert casts.count(shapes[0]) == len(shapes)
    assert casts.count([len(NAMES)]) == 1, "the biases of the head"


PROGRAM = """
import sys; sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
import numpy as np
from test_training import DIGITS, FIT, Pictures, tagger, toy
from babyagi_lib.training.loop import fit
model = tagger()
run = fit(model, toy(61), **FIT)
noise = np.random.default_rng(0).random((61, 8, 8), dtype=np.float32)
pictures = fit(Pictures(), [(picture, i % 10) for i, picture in enumerate(noise)], **DIGITS | {{"epochs": 2}})
from accelerate import PartialState
if PartialState().is_main_process:
    torch.save({{"head": model.head.linear.weight.detach(), "losses": [s["loss"] for s in run.steps + pictures.steps],
                "tokens": run.tokens, "world": PartialState().num_processes}}, {out!r})
"""


def test_two_processes_train_as_one(tmp_path, root):
    """The same call in two CPU processes: the same losses and weights, to rounding.

    61 examples do not divide by batches of 8 or by two processes, and label counts differ between processes.
    """
    results = {}
    for world in (1, 2):
        out = tmp_path / f"{world}.pt"
        script = tmp_path / f"train{world}.py"
        script.write_text(PROGRAM.format(tests=str(root / "tests"), out=str(out)))
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"] if world == 2 else []
        done = subprocess.run(
            [sys.executable, *launch, str(script)],
            env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        results[world] = torch.load(out, weights_only=True)
    assert results[2]["world"] == 2
    assert results[1]["tokens"] == results[2]["tokens"]
    torch.testing.assert_close(
        torch.tensor(results[1]["losses"]), torch.tensor(results[2]["losses"]), atol=1e-4, rtol=1e-3
    )
    torch.testing.assert_close(results[1]["head"], results[2]["head"], atol=1e-3, rtol=1e-3)
