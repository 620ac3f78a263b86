"""The exercises of lesson 02: pooling with padding, the bottleneck adapter, LoRA, counting parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from babyagi_lib.learner.checks import modules
from babyagi_lib.learner.checks.answers import Wrong, array, describe
from babyagi_lib.learner.checks.verdict import exercise


@exercise
def pooling(pool: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Check `pool(states, attention_mask)`: the mean over real pieces, zeros for a row that has none."""
    hidden, length = 6, 7
    # Padding on the right, on the left and on both sides.
    columns = [(0, 7), (0, 3), (4, 7), (2, 3), (1, 6), (0, 5), (0, 0)]
    draw = torch.Generator().manual_seed(0)
    for rows in (slice(None), slice(1, 2)):  # a batch of seven texts, and a batch of one
        mask = torch.tensor([[int(a <= i < b) for i in range(length)] for a, b in columns])[rows]
        states = torch.randn(len(mask), length, hidden, generator=draw) + 1
        _pool_one_batch(pool, states, mask)
    return "padding does not count, on whichever side it is."


def _pool_one_batch(pool: Callable[[Tensor, Tensor], Tensor], states: Tensor, mask: Tensor) -> None:
    """Raise `Wrong` if the learner's vectors of one batch are not the means."""
    given = states.clone(), mask.clone()
    found = array(pool(*given), "a tensor with one vector for each text")
    wanted = _means(states, mask)
    if found.shape != wanted.shape:
        raise Wrong(
            f"states of shape {tuple(states.shape)} should become {wanted.shape}, one vector per text; yours has "
            f"the shape {found.shape}."
        )
    if not torch.equal(given[0], states):
        raise Wrong("your function changes the states it was given; the next layer may still need them.")
    if not torch.equal(given[1], mask):
        raise Wrong("your function changes the attention mask it was given; the next layer may still need it.")
    some = mask.any(dim=1).numpy()  # the texts with a real piece

    def same(guess: NDArray, rows: NDArray | slice | int = slice(None)) -> bool:
        return np.allclose(found[rows], guess[rows], rtol=2e-3, atol=2e-3)  # float16 is right to 1e-3

    if same(wanted):
        return
    if same(wanted, some):
        if not np.isfinite(found[~some]).all():
            raise Wrong(
                "a text without any real piece comes out as NaN or infinite (a division by 0), and one NaN in a "
                "batch makes the whole loss NaN: divide by at least 1."
            )
        raise Wrong("a text without any real piece should come out as zeros; yours does not.")
    for message, guess in _pooled_wrongly(states, mask).items():
        if same(guess.numpy(), some):
            raise Wrong(message)
    counts = mask.sum(dim=1).tolist()
    wrong = [i for i in range(len(mask)) if not same(wanted, i)]
    raise Wrong(
        f"the result is not the mean of the real pieces for texts with "
        f"{', '.join(str(counts[i]) for i in wrong)} real pieces of {mask.shape[1]}."
    )


def _means(states: Tensor, mask: Tensor) -> NDArray:
    """The right answer, text by text: (texts, hidden)."""
    rows = [row[real.bool()].numpy().astype(float) for row, real in zip(states, mask, strict=True)]
    return np.stack([row.mean(axis=0) if len(row) else np.zeros(states.shape[2]) for row in rows])


def _pooled_wrongly(states: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """What typical mistakes make of a batch, by the message that names them."""
    real, number = mask.unsqueeze(-1), mask.sum(dim=1, keepdim=True).clamp(min=1)
    length = states.shape[1]
    total = (states * real).sum(dim=1)
    first_n = (torch.arange(length) < number).unsqueeze(-1)
    first = mask.argmax(dim=1)
    last = length - 1 - mask.flip(1).argmax(dim=1)
    rows = torch.arange(len(states))
    inner = real.clone()
    inner[rows, first] = 0
    return {
        "this averages over padding too: only positions where attention_mask is 1 are text.": states.mean(dim=1),
        "padding is left out of the sum and still counted in the division: divide by the number of real pieces, not by "
        "the length of the batch.": total / length,
        "you divide by the real pieces of the whole batch: each text has a number of its own.": total / mask.sum(),
        "you divide by the number of texts; divide by each text's number of real pieces.": total / len(states),
        "this is the sum of the real pieces, so long texts get long vectors: divide by their number.": total,
        "you average the first n positions of a text with n real pieces. With padding on the left these are not the "
        "real ones: use the mask itself.": (states * first_n).sum(dim=1) / number,
        "you divide by one more than the number of real pieces; to avoid a division by 0, use clamp(min=1).": total
        / (number + 1),
        "you divide by the square root of the number of real pieces; the mean divides by the number.": total
        / number.sqrt(),
        "the mean is scaled to length one here; return the mean as it is.": torch.nn.functional.normalize(total, dim=1),
        "the mask is inverted: this is the mean over the padding.": (states * (1 - real)).sum(dim=1)
        / (length - mask.sum(dim=1, keepdim=True)).clamp(min=1),
        "this is the state at position 0 alone ([CLS], where there is no padding before it); the mean of all real "
        "pieces is asked for.": states[:, 0],
        "this is the state of the first real piece alone; the mean of all real pieces is asked for.": states[
            rows, first
        ],
        "this is the state of the last real piece alone; the mean of all real pieces is asked for.": states[rows, last],
        "this is the state at the last position; the mean of all real pieces is asked for.": states[:, -1],
        "you leave out the first real piece; it counts like the others.": (states * inner).sum(dim=1)
        / inner.sum(dim=1).clamp(min=1),
        "this is the maximum over the real pieces; the mean is asked for.": states.masked_fill(real == 0, -torch.inf)
        .max(dim=1)
        .values,
        "this is the maximum over all positions; the mean over the real pieces is asked for.": states.max(dim=1).values,
        "this is the maximum, and padding takes part in it with 0; the mean of the real pieces is asked for.": (
            states * real
        )
        .max(dim=1)
        .values,
    }


@exercise
def bottleneck(make: Callable[[int, int], nn.Module]) -> str:
    """Check a bottleneck adapter class: `make(hidden, size)` gives a module `states -> states`."""
    hidden, size = 11, 3
    with modules.own_generator():
        adapter = modules.made_by(make, hidden, size)
        count = _new_bottleneck(adapter, hidden, size)
        modules.train_at_random(modules.trainable(adapter))
        _trained_bottleneck(adapter, hidden, size)
    return (
        f"nothing changes at the start, {count} parameters, and a gradient reaches all of them once the way up has "
        "moved."
    )


def _states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _new_bottleneck(adapter: nn.Module, hidden: int, size: int) -> int:
    """What must hold of a new adapter; the number of its trainable parameters."""
    states = _states(2, 5, hidden).requires_grad_()
    out = modules.output(adapter, states, shape=(2, 5, hidden), what="states")
    if not modules.close(out, states, 0):
        if not out.any():
            raise Wrong("a new adapter returns zeros: add what came in, or the encoder's states are lost.")
        if modules.close(adapter.eval()(states.clone()), states, 0):
            raise Wrong(
                "in training, dropout acts on the states that came in: it may act between the way down and the way up, "
                "never on the sum."
            )
        raise Wrong(
            "a new adapter already changes the states: let the way up start at zero, weight and bias, so that the "
            "encoder goes on as before."
        )
    parameters, trainable = list(adapter.parameters()), modules.trainable(adapter)
    if len(trainable) < len(parameters):
        raise Wrong("some of the adapter's own parameters are frozen; all of them should be trained.")
    wanted, count = 2 * hidden * size + hidden + size, sum(p.numel() for p in trainable)
    if count != wanted:
        raise Wrong(
            f"{count} trainable parameters for hidden size {hidden} and bottleneck {size}, expected {wanted}: "
            f"{hidden}·{size} + {size} on the way down, {size}·{hidden} + {hidden} on the way up."
        )
    modules.backward(out.square().sum())
    if not any(p.grad is not None and p.grad.any() for p in trainable if p.ndim > 1):
        raise Wrong(
            "no gradient reaches either matrix of a new adapter, so training would never change it: only the way up "
            "may start at zero, the way down needs random numbers, and neither may be detached."
        )
    if states.grad is None or not modules.close(states.grad, 2 * states):
        raise Wrong(
            "the gradient does not pass through the adapter to the layers below it as it should: add the states "
            "themselves."
        )
    return count


def _trained_bottleneck(adapter: nn.Module, hidden: int, size: int) -> None:
    """What must hold of an adapter whose parameters have moved."""
    adapter.train()
    a, b = _states(6, 8, hidden, seed=1), _states(6, 8, hidden, seed=2)
    first = torch.zeros(6, 8, dtype=torch.bool)
    first[0, 0] = True
    changed = torch.where(first.unsqueeze(-1), a + 1, a)

    def moved(x: Tensor) -> Tensor:
        with torch.no_grad():
            return adapter(x.clone()) - x

    by_chance = not _same(moved(a), moved(a))  # a dropout, which is fine in training
    if not by_chance and not _same(moved(a)[~first], moved(changed)[~first]):
        across = (
            "the other texts of the batch"
            if not _same(moved(a)[1:], moved(changed)[1:])
            else "the other states of the text"
        )
        raise Wrong(
            f"a change of one state changes what other states get, here {across}: an adapter sees each state alone. "
            "Does a softmax, a mean or a norm run over the wrong dimension?"
        )
    adapter.eval()
    with torch.no_grad():
        if not _same(adapter(a.clone()), adapter(a.clone())):
            raise Wrong(
                "in eval mode your adapter gives two answers for the same states: a dropout is still active. Use "
                "nn.Dropout, or F.dropout with training=self.training."
            )
    if not _same(moved(a)[~first], moved(changed)[~first]):
        raise Wrong(
            "a change of one state changes what other states get in eval mode: an adapter sees each state alone."
        )
    with torch.no_grad():
        alone = torch.stack([adapter(x.clone()) for x in a.flatten(0, 1)]).view_as(a)
    if not _same(adapter(a.clone()), alone):
        raise Wrong("a state gets another output alone than in a batch: an adapter treats all states alike.")

    adapter.zero_grad()
    modules.backward(adapter(a.clone()).square().sum())
    if any(p.grad is None or not p.grad.any() for p in adapter.parameters()):
        raise Wrong(
            "once the way up has moved, a gradient must reach the way down too: something between them is cut off."
        )
    # Between down and up there are `size` numbers, so all changes of the output lie in as few directions, and so do all
    # changes of the input that matter; a non-linearity before the way down or after the way up breaks one or the other.
    slopes = torch.stack([_jacobian(adapter, x) for x in _states(10, hidden, seed=3)])  # (texts, out, in)
    if not slopes.any():
        raise Wrong(
            "the gradient reaches the layers below only through the sum, not through the way down: do not detach the states."
        )
    for stacked in (slopes, slopes.transpose(1, 2)):
        if int(torch.linalg.matrix_rank(stacked.reshape(-1, hidden), rtol=1e-3)) > size:
            raise Wrong("the non-linearity stands in the wrong place: it belongs between the way down and the way up.")
    if modules.close(moved(a + b) + moved(torch.zeros_like(a)), moved(a) + moved(b), 1e-3):
        raise Wrong(
            "what the adapter adds is a linear function of the states: without a non-linearity between down and up, the "
            "two layers are one of low rank."
        )
    for shape in ((hidden,), (1, hidden), (1, 1, hidden), (2, 3, 4, hidden)):
        modules.output(adapter, _states(*shape), shape=shape, what="states")


def _same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors agree up to the rounding of a few float32 operations."""
    return modules.close(a, b, 1e-4)


def _jacobian(module: nn.Module, x: Tensor) -> Tensor:
    """How what a module adds to one state (hidden,) changes with that state: (hidden, hidden)."""
    return torch.autograd.functional.jacobian(lambda v: module(v.clone().view(1, 1, -1)).flatten() - v, x)


@exercise
def lora(make: Callable[[nn.Linear, int, int], nn.Module]) -> str:
    """Check a class `make(linear, rank, alpha)`: a module that computes linear(x) + alpha / rank * B A x."""
    with modules.own_generator():
        for into, out_of, rank, alpha, bias in ((7, 5, 2, 6, True), (4, 9, 3, 7, False), (6, 10, 4, 2, True)):
            linear = nn.Linear(into, out_of, bias=bias)
            before = {name: p.detach().clone() for name, p in linear.named_parameters()}
            layer = modules.made_by(make, linear, rank, alpha)
            after = dict(linear.named_parameters())
            if any(name not in after or not torch.equal(after[name], p) for name, p in before.items()):
                raise Wrong("making the layer changes the weight or the bias of `linear`; leave both as they are.")
            A, B = _new_lora(layer, linear, rank)
            modules.train_at_random([A, B])
            _trained_lora(layer, linear, A, B, rank, alpha)
        starts = [_lora_parameters(make(linear, 2, 8), linear, 2)[0] for linear in (nn.Linear(7, 5), nn.Linear(7, 5))]
        if torch.equal(*starts):
            raise Wrong("two layers start with the same A: draw random numbers for each.")
    return "at the start nothing changes, then alpha / rank · B A x is added, and only A and B are trained."


def _lora_parameters(layer: nn.Module, linear: nn.Linear, rank: int) -> tuple[nn.Parameter, nn.Parameter]:
    """A (holds rank x in_features numbers) and B (out_features x rank) of a layer."""
    if linear.weight.data_ptr() not in {t.data_ptr() for t in layer.state_dict().values()}:
        raise Wrong(
            "the weight of `linear` is not in your layer's state_dict: keep `linear` itself as an attribute of the layer, "
            "not a copy of its weight, and not in a plain list."
        )
    found = modules.trainable(layer)
    if any(p.requires_grad for p in linear.parameters()):
        raise Wrong("the wrapped layer is not frozen: its parameters still have requires_grad=True.")
    sides = {"A": (rank, linear.in_features), "B": (linear.out_features, rank)}
    count, wanted = sum(p.numel() for p in found), sum(a * b for a, b in sides.values())
    by_side = {name: [p for p in found if sorted(p.shape) == sorted(shape)] for name, shape in sides.items()}
    if len(found) != 2 or any(len(ps) != 1 for ps in by_side.values()):
        shapes = ", ".join(str(tuple(p.shape)) for p in found)
        raise Wrong(
            f"for {linear.in_features} numbers in, {linear.out_features} out and rank {rank}, training should change "
            f"{wanted} numbers: A of shape {sides['A']} and B of shape {sides['B']}, or transposed. Yours would change "
            f"{count}, in parameters of shape {shapes}."
        )
    return by_side["A"][0], by_side["B"][0]


def _new_lora(layer: nn.Module, linear: nn.Linear, rank: int) -> tuple[nn.Parameter, nn.Parameter]:
    """What must hold of a new layer; its A and B."""
    A, B = _lora_parameters(layer, linear, rank)
    if not A.any() and not B.any():
        raise Wrong("A and B are both zero, so neither ever gets a gradient: only B starts at zero, A is random.")
    if B.any() and not A.any():
        raise Wrong(
            f"the matrix with rank x in_features numbers, {tuple(A.shape)}, starts at zero and the one with out_features x "
            f"rank, {tuple(B.shape)}, at random. It should be the other way round: A, which is applied to x, is random, and B is "
            "zero."
        )
    if B.any():
        raise Wrong("B starts with random numbers, so a new layer already changes the output: B must start at zero.")
    if int(torch.linalg.matrix_rank(A.detach())) < rank:
        raise Wrong(
            "the rows of A are equal, or zero, at the start: draw random numbers, so that each row learns another part."
        )
    into, out_of = linear.in_features, linear.out_features
    for shape in ((into,), (1, into), (3, into), (2, 3, into), (2, 1, 3, into)):
        x = _states(*shape)
        out = modules.output(layer, x, shape=(*shape[:-1], out_of), what="inputs")
        if not modules.close(out, linear(x)):
            plain = x @ linear.weight.T
            if linear.bias is not None and modules.close(out, plain + 2 * linear.bias):
                raise Wrong("the bias of `linear` is added twice: linear(x) has it already.")
            if linear.bias is not None and modules.close(out, plain):
                raise Wrong("the bias of `linear` is missing: use linear(x), not only its weight.")
            if not out.any():
                raise Wrong("a new layer returns zeros: add B A x to linear(x).")
            raise Wrong("a new layer should give exactly what `linear` gives; yours does not.")
    return A, B


def _trained_lora(layer: nn.Module, linear: nn.Linear, A: Tensor, B: Tensor, rank: int, alpha: int) -> None:
    """What must hold of a layer whose A and B have moved."""
    before = linear.weight.detach().clone()
    layer.eval()
    if not torch.equal(linear.weight, before):
        raise Wrong("in eval mode the weight of `linear` changes: add B A x in forward, and leave the weight alone.")
    into, out_of = linear.in_features, linear.out_features
    a = (A if A.shape == (rank, into) else A.T).detach()
    b = (B if B.shape == (out_of, rank) else B.T).detach()
    x = _states(2, 3, into, seed=5).requires_grad_()
    out = modules.output(layer, x, shape=(2, 3, out_of), what="inputs")
    base, low = linear(x).detach(), (x @ a.T @ b.T).detach()
    if not _same(out, base + alpha / rank * low):
        said = f" (rank {rank}, alpha {alpha}, so the factor is {alpha / rank:g}.)"
        for message, factor in {
            "B A x is not added at all.": 0,
            "B A x is multiplied by alpha alone: divide by the rank.": alpha,
            "B A x is divided by the rank alone: multiply by alpha.": 1 / rank,
            "B A x is added without its factor alpha / rank.": 1,
            "the factor is a whole number, as `//` makes it: divide with `/`.": alpha // rank,
            "the factor is rank / alpha; it should be alpha / rank.": rank / alpha,
            "the factor is alpha divided by the square root of the rank; it should be alpha / rank.": alpha / rank**0.5,
            "B A x is subtracted; add it.": -alpha / rank,
        }.items():
            if _same(out, base + factor * low):
                raise Wrong(message + said)
        raise Wrong("the output is not linear(x) + alpha / rank · B A x." + said)
    for shape in ((into,), (1, into), (2, 1, 3, into)):
        other = _states(*shape, seed=6)
        if not _same(layer(other.clone()), linear(other) + alpha / rank * (other @ a.T @ b.T)):
            raise Wrong(f"for inputs of shape {shape} the output is not linear(x) + alpha / rank · B A x.")
    layer.zero_grad()
    modules.backward(out.sum())
    if any(p.grad is None or not p.grad.any() for p in (A, B)):
        raise Wrong("no gradient reaches A or B: is one of them detached, or used under no_grad?")
    slope = (linear.weight + alpha / rank * b @ a).detach().sum(dim=0).expand_as(x)
    if x.grad is None or not _same(x.grad, slope):
        raise Wrong(
            "the gradient does not pass through to what came in as it should, so the layers below would learn wrongly: "
            "freeze the weight by requires_grad_(False), and do not use no_grad or detach in forward."
        )
    layer.zero_grad()
    modules.backward(layer.train()(x.detach().clone()).sum())
    if any(p.grad is None or not p.grad.any() for p in (A, B)):
        raise Wrong("in training mode no gradient reaches A or B: add B A x in training, too.")


@exercise
def parameter_count(count: Callable[[nn.Module], tuple[int, int]]) -> str:
    """Check `count(model)`: (all, trainable) numbers in a model's parameters, each tensor once."""
    with modules.own_generator():
        models = _models()
    found = {}
    for name, model in models.items():
        before = [p.requires_grad for p in model.parameters()]
        found[name] = _two_numbers(count(model))
        if [p.requires_grad for p in model.parameters()] != before:
            raise Wrong("your function freezes or unfreezes parameters; counting must not change the model.")
    wanted = {name: _counted(model.parameters()) for name, model in models.items()}
    if found != wanted:
        name = next(name for name in models if found[name] != wanted[name])
        said = (
            f" For {name} you return {found[name]}; it has {wanted[name][0]} numbers, of which {wanted[name][1]} are "
            "trained."
        )
        guesses = {name: _counted_wrongly(model, wanted[name]) for name, model in models.items()}
        for message in guesses[name]:
            if all(found[name] == guesses[name][message] for name in models):
                raise Wrong(message + said)
        raise Wrong("the count is wrong." + said)
    return "each number once, frozen or not, shared or not."


def _two_numbers(answer: object) -> tuple[int, int]:
    values = array(answer, "two numbers, all and trainable")
    if values.shape != (2,):
        raise Wrong(f"return two numbers, all and trainable; you return {describe(answer)}.")
    if not all(n.is_integer() for n in values.tolist()):
        raise Wrong(f"counts are whole numbers; you return {values.tolist()}.")
    return int(values[0]), int(values[1])


def _models() -> dict[str, nn.Module]:
    """Models with parameters that are easily forgotten or counted twice, by a description of the model."""

    def frozen(module: nn.Module) -> nn.Module:
        return module.requires_grad_(False)

    class Tied(nn.Module):
        """Pieces in and pieces out with one table, as in many language models."""

        def __init__(self) -> None:
            super().__init__()
            self.embeddings = nn.Embedding(50, 4)
            self.mix = nn.Linear(4, 4)
            self.out = nn.Linear(4, 50)
            self.out.weight = self.embeddings.weight

    class Own(nn.Module):
        """Parameters that belong to no layer and are called neither weight nor bias."""

        def __init__(self) -> None:
            super().__init__()
            self.temperature = nn.Parameter(torch.tensor(1.0))
            self.first = nn.Parameter(torch.zeros(1, 6))
            self.shifts = nn.ParameterList([torch.zeros(3), torch.zeros(2, 2)])
            self.table = nn.Parameter(torch.zeros(4, 2), requires_grad=False)

    bias_only = nn.Linear(4, 3)
    frozen(bias_only).bias.requires_grad_(True)
    tied_frozen = Tied()
    frozen(tied_frozen.embeddings)
    twice = nn.Linear(3, 3)
    return {
        "two linear layers": nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)),
        "a frozen layer under a head": nn.Sequential(frozen(nn.Linear(10, 10)), nn.Linear(10, 2)),
        "a model that is all frozen": frozen(nn.Linear(3, 3)),
        "layers inside of layers": nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 5)))),
        "a layer of which only the bias is trained": bias_only,
        "an embedding, a convolution and two norms": nn.Sequential(
            nn.Embedding(7, 3), nn.Conv2d(2, 3, 3), nn.LayerNorm(6), nn.LayerNorm(6)
        ),
        "an attention layer": nn.MultiheadAttention(4, 2),
        "parameters outside of any layer": Own(),
        "a model whose output layer shares its matrix with the embedding": Tied(),
        "a shared matrix that is frozen": tied_frozen,
        "one layer used twice": nn.Sequential(twice, nn.ReLU(), twice),
        "a model with batch norm, which has buffers": nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 1)),
    }


def _counted(parameters: Iterable[Tensor], size: Callable[[Tensor], int] = Tensor.numel) -> tuple[int, int]:
    """(all, trainable), each tensor with its size."""
    tensors = list(parameters)
    return sum(size(p) for p in tensors), sum(size(p) for p in tensors if p.requires_grad)


def _counted_wrongly(model: nn.Module, wanted: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """What typical mistakes count in a model, by the message that names them."""
    everything, trained = wanted
    named = dict(model.named_parameters())
    matrices = [p for p in named.values() if p.ndim == 2]
    with_buffers = everything + sum(b.numel() for b in model.buffers())
    shared_twice = _counted(p for _, p in model.named_parameters(remove_duplicate=False))
    shared = "a matrix that two layers share is one matrix: count each tensor once."
    buffers = "buffers (running averages) are no parameters: no gradient ever moves them."
    return {
        "you count tensors; count the numbers in them (p.numel()).": _counted(named.values(), lambda p: 1),
        "the two numbers are the wrong way round: all first, then trainable.": (trained, everything),
        "frozen parameters are not trained: look at p.requires_grad.": (everything, everything),
        "the first number leaves out what is frozen; it should count everything.": (trained, trained),
        "the first number counts only what is frozen; it should count everything.": (everything - trained, trained),
        "nothing counts as trained: look at p.requires_grad of the parameters themselves. p.grad is None before the first "
        "backward pass, and the tensors of a state_dict are detached.": (everything, 0),
        "the second number counts what is frozen; it should count what is trained.": (everything, everything - trained),
        "you count bytes; count numbers (p.numel()).": _counted(named.values(), lambda p: p.nbytes),
        "you count the rows of each tensor; count its numbers (p.numel()).": _counted(
            named.values(), lambda p: p.shape[0] if p.ndim else 1
        ),
        "you multiply the first two sides of each tensor; a convolution has four: use p.numel().": _counted(
            named.values(), lambda p: p.shape[:2].numel()
        ),
        "only matrices are counted; biases and scales are parameters too.": _counted(matrices),
        "only parameters called `weight` are counted; take all of model.parameters().": _counted(
            p for name, p in named.items() if name.rpartition(".")[2] == "weight"
        ),
        "only parameters called `weight` or `bias` are counted; take all of model.parameters().": _counted(
            p for name, p in named.items() if name.rpartition(".")[2] in ("weight", "bias")
        ),
        "only nn.Linear layers are counted; other layers have parameters too.": _counted(
            p for m in model.modules() if isinstance(m, nn.Linear) for p in m.parameters()
        ),
        "only the outermost layers are counted; layers inside of layers have parameters too.": _counted(
            p for m in model.children() for p in m.parameters(recurse=False)
        ),
        "a parameter that belongs to no layer is left out; take all of model.parameters().": _counted(
            p for m in model.children() for p in m.parameters()
        ),
        shared: shared_twice,
        shared + " A state_dict holds it twice, and buffers too.": (
            sum(t.numel() for t in model.state_dict().values()),
            trained,
        ),
        buffers: (with_buffers, trained),
        buffers + " They are not trained, either.": (with_buffers, trained + with_buffers - everything),
    }
