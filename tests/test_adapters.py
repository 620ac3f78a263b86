"""Adapters: where they act, that they leave the encoder alone, what is trained, what it costs, how tasks are stored."""

import copy

import pytest
import torch
from conftest import tiny_encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import ENCODERS, small
from torch import nn

from babyagi_course import printed_tables
from babyagi_lib.models import adapters, heads
from babyagi_lib.models.saving import ModelError
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.errors import SourceError
from babyagi_lib.sources.results import load_result
from babyagi_lib.training.batches import pad_batch
from babyagi_lib.training.loop import fit
from babyagi_lib.training.prediction import predict

WAYS = ["head only", "last two layers", "bottleneck", "LoRA", "LoRA, query and value", "everything"]


def examples(n=4):
    draw = torch.Generator().manual_seed(1)
    return [
        {
            "input_ids": torch.randint(5, 60, (length,), generator=draw).tolist(),
            "labels": torch.randint(0, 3, (length,), generator=draw).tolist(),
        }
        for length in range(4, 4 + n)
    ]


def inputs():
    batch = pad_batch(examples())
    del batch["labels"]
    return batch


def states(encoder):
    with torch.no_grad():
        return encoder.eval()(**inputs()).last_hidden_state


def shaken(bottlenecks):
    """Adapters as if they had been trained."""
    for parameter in bottlenecks.parameters():
        nn.init.normal_(parameter, std=0.3)
    return bottlenecks


def test_new_adapters_change_nothing_to_the_bit():
    encoder, _ = load_encoder()
    before = states(encoder)
    bottlenecks = adapters.Bottlenecks(encoder, 8)
    bottlenecks.attach(encoder)
    assert torch.equal(states(encoder), before)
    assert torch.equal(states(adapters.lora(encoder, 2)), before)


def test_attached_adapters_act_and_detached_ones_leave_no_trace():
    encoder = tiny_encoder()
    before, print_before = states(encoder), adapters.fingerprint(encoder)
    bottlenecks = shaken(adapters.Bottlenecks(encoder, 4))
    bottlenecks.attach(encoder)
    assert not torch.allclose(states(encoder), before)
    with pytest.raises(RuntimeError, match="detach"):
        bottlenecks.attach(encoder)
    bottlenecks.detach()
    assert torch.equal(states(encoder), before)
    assert adapters.fingerprint(encoder) == print_before
    bottlenecks.attach(encoder)
    bottlenecks.detach()


def test_two_tasks_take_turns_on_one_encoder():
    encoder = tiny_encoder()
    a, b = shaken(adapters.Bottlenecks(encoder, 4)), shaken(adapters.Bottlenecks(encoder, 2))
    found = []
    for bottlenecks in (a, b, a, b):
        bottlenecks.attach(encoder)
        found.append(states(encoder))
        bottlenecks.detach()
    assert torch.equal(found[0], found[2]) and torch.equal(found[1], found[3])
    assert not torch.allclose(found[0], found[1])


def test_an_adapter_acts_on_what_its_sublayer_puts_out():
    """Before the residual stream is added and normalised: Houlsby et al. (2019), figure 2."""
    encoder = tiny_encoder()
    bottlenecks = shaken(adapters.Bottlenecks(encoder, 4))
    bottlenecks.attach(encoder)
    output = encoder.encoder.layer[1].output.eval()
    hidden, stream = torch.randn(2, 3, 64), torch.randn(2, 3, 32)
    by_hand = nn.functional.linear(hidden, output.dense.weight, output.dense.bias)
    by_hand = output.LayerNorm(bottlenecks.layers[3](by_hand) + stream)
    torch.testing.assert_close(output(hidden, stream), by_hand)


def test_an_encoder_of_another_build_is_refused():
    with pytest.raises(SourceError, match="Linear is built in another way"):
        adapters.sublayers(nn.Linear(2, 2))


def test_a_bottleneck_by_hand():
    bottleneck = adapters.Bottleneck(6, 2)
    states = torch.randn(3, 6)
    assert torch.equal(bottleneck(states), states), "a new one changes nothing"
    nn.init.normal_(bottleneck.up.weight)
    nn.init.normal_(bottleneck.up.bias)
    down = nn.functional.gelu(states @ bottleneck.down.weight.T + bottleneck.down.bias)
    torch.testing.assert_close(bottleneck(states), states + down @ bottleneck.up.weight.T + bottleneck.up.bias)


def test_adapters_of_an_encoder_with_fewer_layers_cannot_be_attached():
    encoder = tiny_encoder()
    bottlenecks = adapters.Bottlenecks(encoder, 4)
    encoder.encoder.layer.append(copy.deepcopy(encoder.encoder.layer[0]))
    encoder.config.num_hidden_layers = 3
    with pytest.raises(ValueError, match="shorter"):
        bottlenecks.attach(encoder)


def test_counts_cannot_be_changed():
    with pytest.raises(AttributeError):
        adapters.count_parameters(nn.Linear(2, 2)).total = 1


# Trainable parameters of each way, by hand, for an encoder 32 wide with 2 layers, bottlenecks and ranks of 4.
HEAD, BOTTLENECK = 3 * 33, 2 * 32 * 4 + 32 + 4


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_train_works_on_encoders_of_many_kinds_or_says_what_is_missing(tmp_path, kind, way):
    (encoder, _) = load_encoder(str(small(kind, tmp_path)))
    print_before = adapters.fingerprint(encoder)
    refused = {
        ("Albert", "last two layers"): "has one layer",
        (
            "ModernBert",
            "LoRA, query and value",
        ): "no separate linear layers for queries and values; it has Wi, Wo, Wqkv",
    }
    if said := refused.get((kind, way)):
        with pytest.raises(SourceError, match=said):
            adapters.task_model(encoder, heads.TokenHead(32, 3), way, 4)
        assert adapters.fingerprint(encoder) == print_before and all(p.requires_grad for p in encoder.parameters())
        return
    before = states(encoder)
    model = adapters.task_model(encoder, heads.TokenHead(32, 3), way, 4)
    assert torch.allclose(states(model.encoder), before, atol=1e-6), "nothing has been trained yet"
    trainable = adapters.count_parameters(model).trainable
    if way == "bottleneck":
        narrow = 2 * 16 * 4 + 16 + 4  # MobileBERT's attention is narrower than its states
        layers = {"Albert": BOTTLENECK * 2, "MobileBert": 2 * (BOTTLENECK + narrow)}
        assert trainable == HEAD + layers.get(kind, 4 * BOTTLENECK)
        shaken(model.adapters)
        assert not torch.allclose(states(encoder), before)
        model.adapters.detach()
        assert torch.equal(states(encoder), before)
        model.adapters.attach(encoder)
    assert (trainable == HEAD) == (way == "head only")
    model.train()(**pad_batch(examples()))["loss"].backward()
    learning = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad and p.grad is not None}
    assert learning == {"head only": {"head"}, "bottleneck": {"head", "adapters"}}.get(way, {"head", "encoder"})


@pytest.mark.parametrize("way", ["bottleneck", "LoRA", "LoRA, query and value"])
def test_a_size_of_nothing_is_refused_and_one_is_enough(way):
    with pytest.raises(ValueError, match="is 0; expected a whole number of at least 1"):
        adapters.task_model(tiny_encoder(), heads.TokenHead(32, 3), way)
    assert adapters.task_model(tiny_encoder(), heads.TokenHead(32, 3), way, 1)(**pad_batch(examples()))["loss"] > 0


@pytest.mark.parametrize("way", WAYS)
def test_training_moves_what_it_should_and_nothing_else(way):
    encoder = tiny_encoder()
    encoder.pooler = None
    before = {name: p.clone() for name, p in encoder.named_parameters()}
    model = adapters.task_model(encoder, heads.TokenHead(32, 3), way, size=2)
    fit(model, examples(), epochs=2, batch_tokens=32, learning_rate=1e-2, precision="no")
    after = {
        name.removeprefix("model.").replace(".base_layer", ""): p
        for name, p in model.encoder.named_parameters()
        if "lora_" not in name
    }
    moved = {name for name, p in before.items() if not torch.equal(p, after[name])}
    if way == "everything":
        assert moved >= {name for name in before if "weight" in name and "position" not in name}
    elif way == "last two layers":  # the tiny encoder has no more
        assert moved and all(name.startswith("encoder.layer.") for name in moved)
    else:
        assert moved == set()


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="'all'"):
        adapters.task_model(tiny_encoder(), heads.TokenHead(32, 3), "all")


def test_lora_gives_no_warning(recwarn):
    """Whichever names peft and transformers have for things this year."""
    adapters.lora(tiny_encoder(), 2)
    assert [str(warning.message) for warning in recwarn] == []


def test_merging_lora_gives_a_plain_encoder_with_the_same_output():
    encoder = tiny_encoder()
    encoder.pooler = None
    names = set(encoder.state_dict())
    tuned = adapters.lora(encoder, 3)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter, std=0.1)
    before = states(tuned)
    merged = tuned.merge_and_unload()
    assert set(merged.state_dict()) == names
    torch.testing.assert_close(states(merged), before, rtol=1e-4, atol=1e-4)


@settings(max_examples=25)
@given(size=st.integers(1, 40))
def test_parameters_of_bottlenecks_by_formula(size):
    """Two adapters a layer, of 2·hidden·size weights and hidden + size biases (Houlsby et al. 2019, section 2.1)."""
    encoder = tiny_encoder()
    head = heads.TokenHead(32, 3)
    model = adapters.task_model(encoder, head, "bottleneck", size)
    count = adapters.count_parameters(model)
    assert count.trainable == 2 * 2 * (2 * 32 * size + 32 + size) + 3 * 33
    assert count.total == count.trainable + sum(p.numel() for p in encoder.parameters())
    assert count.share == count.trainable / count.total


def test_shared_parameters_are_counted_once():
    tied = nn.ModuleList([nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)])
    tied[1].weight = tied[0].weight
    assert adapters.count_parameters(tied) == adapters.Count(40, 40)
    adapters.freeze(tied)
    assert adapters.count_parameters(tied).trainable == 0


def test_memory_of_a_model_that_can_be_counted_by_hand():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(10, 20, bias=False), nn.Linear(20, 1, bias=False)

        def forward(self, x):
            return {"loss": self.b(self.a(x).relu()).sum()}

    x = torch.randn(7, 10)
    model = Model()
    memory = adapters.training_memory(model, {"x": x})
    weights = 4 * (200 + 20)
    assert (memory.weights, memory.gradients, memory.optimizer) == (weights, weights, 2 * weights)
    assert memory.activations == 4 * (7 * 10 + 7 * 20)  # the input, and what came out of relu, once
    model.a.requires_grad_(False)
    memory = adapters.training_memory(model, {"x": x})
    assert (memory.gradients, memory.activations) == (4 * 20, 4 * 7 * 20)
    assert memory.total == weights + 3 * 80 + 560


def test_memory_orders_the_ways_as_the_lesson_says():
    batch = pad_batch(examples(8))
    found = {}
    for way in WAYS:
        encoder = tiny_encoder(dropout=0.1)
        encoder.pooler = None
        model = adapters.task_model(encoder, heads.TokenHead(32, 3), way, size=2).train()
        found[way] = adapters.training_memory(model, batch)
    assert found["head only"].activations < found["bottleneck"].activations / 5
    assert found["bottleneck"].activations > found["everything"].activations / 2
    assert found["bottleneck"].gradients < found["everything"].gradients / 20


def test_counting_memory_leaves_no_gradient_and_nothing_behind():
    model = adapters.task_model(tiny_encoder(), heads.TokenHead(32, 3), "everything")
    adapters.training_memory(model, pad_batch(examples()))
    assert all(p.grad is None for p in model.parameters())


def test_the_fingerprint_sees_one_bit_and_no_gradient():
    encoder = tiny_encoder()
    before = adapters.fingerprint(encoder)
    assert adapters.fingerprint(copy.deepcopy(encoder)) == before
    encoder.requires_grad_(False)
    assert adapters.fingerprint(encoder) == before
    weight = encoder.encoder.layer[0].output.dense.weight
    with torch.no_grad():
        weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(10.0))
    assert adapters.fingerprint(encoder) != before


# --- saved tasks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "classes"),
    [(heads.SentenceHead, ["a", "b", "c"]), (heads.TokenHead, ["O", "B-é"]), (heads.SpanHead, [])],
)
def test_a_saved_task_comes_back_whole(tmp_path, head, classes):
    encoder = tiny_encoder()
    made = head(32, len(classes)) if classes else head(32)
    bottlenecks = shaken(adapters.Bottlenecks(encoder, 4))
    model = heads.TaskModel(encoder, made, bottlenecks).eval()
    bottlenecks.attach(encoder)
    expected = predict(model, examples())
    bottlenecks.detach()
    path = adapters.save_task(tmp_path / "with space é", bottlenecks, made, encoder, classes)
    loaded, loaded_head, loaded_classes = adapters.load_task(path, head, tiny_encoder())
    assert loaded_classes == classes
    loaded.attach(encoder)
    found = predict(heads.TaskModel(encoder, loaded_head, loaded), examples())
    for a, b in zip(expected, found, strict=True):
        assert (a == b).all()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_task_of_another_encoder_is_refused(tmp_path):
    encoder = tiny_encoder()
    path = adapters.save_task(
        tmp_path / "task", adapters.Bottlenecks(encoder, 4), heads.TokenHead(32, 2), encoder, ["a", "b"]
    )
    with torch.no_grad():
        encoder.embeddings.word_embeddings.weight[7, 7] += 1e-3
    said = r"another encoder \(fingerprint [0-9a-f]{8}, this one is [0-9a-f]{8}\)"
    with pytest.raises(ModelError, match=said):
        adapters.load_task(path, heads.TokenHead, encoder)


def test_a_task_with_another_head_or_damaged_is_refused(tmp_path):
    encoder = tiny_encoder()
    path = adapters.save_task(
        tmp_path / "task", adapters.Bottlenecks(encoder, 4), heads.TokenHead(32, 3), encoder, ["a", "b", "c"]
    )
    with pytest.raises(ModelError, match="does not fit a SpanHead"):
        adapters.load_task(path, heads.SpanHead, encoder)
    from safetensors.torch import load_file, save_file

    about = {"encoder": adapters.fingerprint(encoder), "size": "4", "classes": '["a", "b"]'}
    save_file(load_file(path), path, metadata=about)
    with pytest.raises(ModelError, match=r"does not fit a TokenHead .*size mismatch for head\.linear\.weight"):
        adapters.load_task(path, heads.TokenHead, encoder)


def test_what_is_no_saved_task_is_refused(tmp_path):
    from safetensors.torch import save_file

    encoder = tiny_encoder()
    (tmp_path / "text").write_text("hello")
    save_file({"a": torch.zeros(1)}, str(tmp_path / "other"))
    for name, said in (("missing", "cannot be read"), ("text", "cannot be read"), ("other", "no saved task")):
        with pytest.raises(ModelError, match=said):
            adapters.load_task(tmp_path / name, heads.TokenHead, encoder)


# --- heads -------------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4), extra=st.integers(0, 5), seed=st.integers(0, 99))
def test_padding_has_no_say_in_the_mean(lengths, extra, seed):
    draw = torch.Generator().manual_seed(seed)
    longest = max(lengths) + extra + 1
    given_states = torch.randn(len(lengths), longest, 5, generator=draw)
    mask = torch.tensor([[1] * n + [0] * (longest - n) for n in lengths])
    pooled = heads.mean_pool(given_states, mask)
    for row, n in enumerate(lengths):
        alone = given_states[row, :n].mean(0) if n else torch.zeros(5)
        torch.testing.assert_close(pooled[row], alone, rtol=1e-5, atol=1e-5)


def test_a_span_can_never_lie_in_padding():
    head = heads.SpanHead(8).eval()
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    out = head(torch.randn(2, 5, 8), mask, starts=torch.tensor([1, 2]), ends=torch.tensor([2, 4]))
    assert (out["logits"][0].softmax(0)[3:] == 0).all()
    assert torch.isfinite(out["loss"])


def test_the_published_sizes_have_the_lessons_settings():
    """The lesson takes its learning rates from that run, and says that they suit its settings."""
    from babyagi_course.lessons import Course

    published = load_result("adapter_sizes")
    lesson = next(lesson for lesson in Course.find().lessons if lesson.name.startswith("02")).parameters
    assert published["settings"] == {
        "sentences": lesson["TRAIN_SENTENCES"],
        "epochs": lesson["EPOCHS"],
        "batch_pieces": lesson["BATCH_PIECES"],
    }
    assert set(published["rates"]) == set(WAYS)
    for method in WAYS:  # the best rate is not at the edge of what was tried
        tried = [row for row in published["tried"] if row["method"] == method]
        assert len(tried) >= 3 and published["rates"][method][0] == max(tried, key=lambda row: row["f1_mean"])["rate"]


# --- figures -----------------------------------------------------------------------------------------------


def test_figures_tell_their_numbers(monkeypatch, capsys):
    from IPython import display
    from matplotlib import pyplot

    from babyagi_lib.figures import adapter_heads as figures

    alts = []
    monkeypatch.setattr(display, "display", lambda data, metadata, raw: alts.append(metadata["image/png"]["alt"]))
    rows = [
        {
            "name": name,
            "trainable": trainable,
            "scores": [f1 - 0.01, f1 + 0.01],
            "share": trainable / 1_000_000,
            "stored": 4 * trainable,
            "step": [0.02, 0.03],
            "memory": adapters.Memory(90_000_000, 4 * trainable, 8 * trainable, 50_000_000),
        }
        for name, trainable, f1 in (("head only", 3_000, 0.4), ("bottleneck", 150_000, 0.6), ("LoRA", 160_000, 0.5))
    ]
    figures.adapter_tradeoff(rows)
    figures.adapter_memory(rows)
    figures.adapter_table(rows)
    table = capsys.readouterr().out.splitlines()
    line = " ".join(table[2].split())
    assert line == "bottleneck 150,000 15.00% 0.60 MB 142 MB 25 ms 0.600 (0.590-0.610)"
    [rows] = printed_tables.parts("\n".join(table))
    assert rows[0] == ["", "trained", "share", "on disk", "memory", "step", "entity F1, test"], (
        "a page shows it as a table"
    )
    figures.task_scores({"names\nF1": {"head only": 0.31, "adapters": 0.62}})
    assert "bottleneck, 150,000 parameters, F1 0.600 (0.590 to 0.610)" in alts[0]
    assert "bottleneck 142 MB, of which activations 50" in alts[1]
    assert "names, F1: head only 0.31, adapters 0.62" in alts[2]
    runs = [
        {"method": method, "size": size, "trainable": 1000 * size, "f1_by_seed": "0.500, 0.520", "f1_mean": 0.51}
        for method in ("bottleneck", "LoRA")
        for size in (1, 2)
    ]
    figure, alt = figures.adapter_sizes(runs, "LoRA", 2)
    title = figure.axes[0].get_title(loc="left")
    assert all("2,000 parameters" in said and "F1 0.510 (seeds: 0.500, 0.520)" in said for said in (title, alt))
    assert "bottleneck 0.510, 0.510; LoRA 0.510, 0.510" in alt
    pyplot.close(figure)
    assert pyplot.get_fignums() == []
