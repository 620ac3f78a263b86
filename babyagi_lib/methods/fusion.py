"""Three ways to use several senses together: add log-odds, concatenate, attend. Used by lesson 11.

`add_log_odds` needs each sense's calibrated probabilities, and no example in which the senses appear together. The two
networks learn from such examples. A sense can be missing: then its features are zeros and its entry in `present` is false.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.models.senses import CLASSES

OUTPUTS = sum(CLASSES.values())  # logits of shape, material and crack side by side
HIDDEN = 64


def add_log_odds(
    log_probabilities: Sequence[ArrayLike], log_prior: ArrayLike, present: ArrayLike | None = None
) -> NDArray[np.float64]:
    """What several senses say together, if they are independent given the class: a product of experts.

    log p(class | all) = log prior + sum over senses of (log p(class | sense) - log prior) + constant

    Every posterior contains the prior, so it is taken out of each and put back once (Bayes' rule).

    Args:
        log_probabilities: what each sense says, (examples, classes) for each of the senses.
        log_prior: of the classes, (classes,): the frequencies in the examples that the senses were trained on.
        present: whether each sense is there, (examples, senses); None if all are. A missing one adds nothing.

    Returns:
        Log-probabilities, (examples, classes). Without any sense, the prior.

    Raises:
        ValueError: there is no sense, the shapes do not fit, a number is NaN, or two senses are sure of different classes.
    """
    said, prior = np.asarray(log_probabilities, dtype=float), np.asarray(log_prior, dtype=float)
    if said.ndim != 3 or prior.shape != said.shape[2:]:
        raise ValueError(f"expected (senses, examples, classes) and (classes,); found {said.shape} and {prior.shape}")
    if np.isnan(said).any() or not np.isfinite(prior).all():
        raise ValueError("a log-probability is NaN, or one of the prior is not finite")
    evidence = said - prior
    if present is not None:
        here = np.asarray(present, dtype=bool)
        if here.shape != (said.shape[1], said.shape[0]):
            raise ValueError(f"present must be {(said.shape[1], said.shape[0])}, (examples, senses), not {here.shape}")
        evidence = np.where(here.T[:, :, None], evidence, 0.0)
    total = prior + evidence.sum(axis=0)
    highest = total.max(axis=1, keepdims=True)
    if not np.isfinite(highest).all():
        raise ValueError("two senses are sure of different classes: no class is left")
    total = total - highest
    return total - np.log(np.exp(total).sum(axis=1, keepdims=True))


def add_senses(
    said: Sequence[Mapping[str, ArrayLike]], log_prior: Mapping[str, ArrayLike], present: ArrayLike | None = None
) -> dict[str, NDArray[np.float64]]:
    """Log-odds added for each property by itself, over the senses that tell it.

    Args:
        said: for each sense, log-probabilities (examples, classes) by property, as `sensing.beliefs` gives them.
        log_prior: of each property, (classes,).
        present: whether each sense is there, (examples, senses); None if all are.

    Returns:
        Log-probabilities of each property, (examples, classes).

    Raises:
        ValueError: no sense tells a property, or as `add_log_odds`.
    """
    found = {}
    for name, prior in log_prior.items():
        tell = [i for i, each in enumerate(said) if name in each]
        here = None if present is None else np.asarray(present)[:, tell]
        found[name] = add_log_odds([said[i][name] for i in tell], prior, here)
    return found


def as_symbols(
    said: Mapping[str, ArrayLike], known: Mapping[str, ArrayLike], labels: Mapping[str, ArrayLike]
) -> dict[str, NDArray[np.float64]]:
    """Beliefs of one sense reduced to a symbol for each property: its most probable class.

    Args:
        said: log-probabilities (examples, classes) by property.
        known: the same for other examples, whose classes are known.
        labels: these classes by property, (other examples,).

    Returns:
        For each property the log-probability of each class given the symbol, (examples, classes): its frequency among the
        other examples with this symbol, each counted once more than seen, so that none is 0.
    """
    found = {}
    for name, told in known.items():
        told = np.asarray(told)
        count = np.ones((told.shape[1], told.shape[1]))  # symbol, class
        np.add.at(count, (told.argmax(axis=1), np.asarray(labels[name])), 1)
        log_share = np.log(count / count.sum(axis=1, keepdims=True))
        found[name] = log_share[np.asarray(said[name]).argmax(axis=1)]
    return found


def side_by_side(
    said: Sequence[Mapping[str, ArrayLike]], log_prior: Mapping[str, ArrayLike] | None = None
) -> list[NDArray[np.float32]]:
    """The log-probabilities of each sense as features of a fusion network, (examples, classes of all its properties).

    With `log_prior`, the prior's are subtracted, so that 0 means that the sense says nothing. None is below -8.
    """
    prior = log_prior or {}
    return [
        np.concatenate([np.maximum(p - prior.get(name, 0.0), -8) for name, p in each.items()], axis=1).astype(
            np.float32
        )
        for each in said
    ]


class Concatenation(nn.Module):
    """The features of all senses side by side, with a number for each that says whether it is there; one hidden layer.

    Args:
        widths: the number of features of each sense.
        seed: for the weights at the start.
    """

    def __init__(self, widths: Sequence[int], seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Linear(sum(widths) + len(widths), HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, OUTPUTS)
            )

    def forward(self, features: Sequence[Tensor], present: Tensor) -> Tensor:
        """(examples, width) of each sense and (examples, senses) to the logits of all properties, (examples, 7)."""
        shown = [f * present[:, [i]] for i, f in enumerate(features)]
        return self.layers(torch.cat([*shown, present.to(shown[0].dtype)], dim=1))


class SenseAttention(nn.Module):
    """Each property asks with a learned query, and a softmax shares its attention among the senses that are there.

    Scaled dot-product attention (Vaswani and others 2017, equation 1) over at most one token for each sense, and one that is
    always there. What it hears is a weighted mean, so senses cannot simply add up; a hidden layer follows.

    Args:
        widths: the number of features of each sense.
        seed: for the weights at the start.
    """

    def __init__(self, widths: Sequence[int], seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.keys = nn.ModuleList(nn.Linear(width, HIDDEN) for width in widths)
            self.values = nn.ModuleList(nn.Linear(width, HIDDEN) for width in widths)
            self.always = nn.Parameter(torch.randn(2, HIDDEN) / HIDDEN**0.5)  # its key and its value
            self.queries = nn.Parameter(torch.randn(len(CLASSES), HIDDEN))
            self.outputs = nn.ModuleList(
                nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))
                for classes in CLASSES.values()
            )

    def attention(self, features: Sequence[Tensor], present: Tensor) -> Tensor:
        """How each property shares its attention, (examples, properties, senses + 1); the last is the one always there."""
        keys = torch.stack([key(f) for key, f in zip(self.keys, features, strict=True)], dim=1)
        keys = torch.cat([keys, self.always[0].expand(len(keys), 1, -1)], dim=1)
        scores = torch.einsum("ph,nsh->nps", self.queries, keys) / HIDDEN**0.5
        here = torch.cat([present, torch.ones_like(present[:, :1])], dim=1)
        return scores.masked_fill(~here[:, None], -torch.inf).softmax(dim=2)

    def forward(self, features: Sequence[Tensor], present: Tensor) -> Tensor:
        """(examples, width) of each sense and (examples, senses) to the logits of all properties, (examples, 7)."""
        values = torch.stack([value(f) for value, f in zip(self.values, features, strict=True)], dim=1)
        values = torch.cat([values, self.always[1].expand(len(values), 1, -1)], dim=1)
        heard = self.attention(features, present) @ values
        return torch.cat([output(heard[:, p]) for p, output in enumerate(self.outputs)], dim=1)


def train(
    network: nn.Module,
    features: Sequence[ArrayLike],
    present: ArrayLike,
    labels: Mapping[str, ArrayLike],
    *,
    seed: int,
    drop: float = 0.0,
    epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.05,
) -> nn.Module:
    """Train a fusion network in place on parts whose senses appear together, and return it.

    Args:
        network: `Concatenation` or `SenseAttention`.
        features: of each sense, (examples, width).
        present: whether each sense is there, (examples, senses).
        labels: whole numbers for "shape", "material" and "cracked", (examples,) each; other names are ignored.
        seed: for the order of the examples and for what is dropped.
        drop: the probability with which each sense of each example is dropped in each epoch, independently of all others.
        epochs: passes over the examples.
        batch_size: examples in a step.
        learning_rate: at the start; it falls to 0 in a straight line.
        weight_decay: of AdamW.

    Raises:
        ValueError: a parameter is out of its range, or the shapes do not fit.
        FloatingPointError: the loss is not finite.
    """
    check_number("drop", drop, 0, 1)
    check_whole("epochs", epochs, 1)
    shown, here = _tensors(features, present)
    targets = [torch.as_tensor(np.asarray(labels[name])).long() for name in CLASSES]
    if any(target.shape != (len(here),) for target in targets):
        raise ValueError(f"there are {len(here)} examples; labels have the shapes {[tuple(t.shape) for t in targets]}")
    draw = torch.Generator().manual_seed(stream_seed("fusion", seed))
    steps = epochs * -(-len(here) // batch_size)
    adam = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=weight_decay)
    fall = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1 - step / steps)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(here), generator=draw).split(batch_size):
            kept = here[rows] & (torch.rand(len(rows), here.shape[1], generator=draw) >= drop)
            logits = network([f[rows] * kept[:, [i]] for i, f in enumerate(shown)], kept)
            said = logits.split(list(CLASSES.values()), dim=1)
            loss = sum(nn.functional.cross_entropy(z, y[rows]) for z, y in zip(said, targets, strict=True))
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()}; a lower learning rate may help")
            adam.zero_grad()
            loss.backward()
            adam.step()
            fall.step()
    network.eval()
    return network


def predict(network: nn.Module, features: Sequence[ArrayLike], present: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """The network's log-probabilities of each property, (examples, classes) each."""
    shown, here = _tensors(features, present)
    with torch.no_grad():
        logits = network([f * here[:, [i]] for i, f in enumerate(shown)], here).double()
    parts = logits.split(list(CLASSES.values()), dim=1)
    return {name: torch.log_softmax(part, dim=1).numpy() for name, part in zip(CLASSES, parts, strict=True)}


def whole_part_right(beliefs: Mapping[str, ArrayLike], labels: Mapping[str, ArrayLike]) -> float:
    """The share of parts whose shape, material and crack are all named right: the most probable value of each."""
    right = [np.asarray(beliefs[name]).argmax(axis=1) == np.asarray(labels[name]) for name in CLASSES]
    return float(np.logical_and.reduce(right).mean())


def _tensors(features: Sequence[ArrayLike], present: ArrayLike) -> tuple[list[Tensor], Tensor]:
    shown = [torch.as_tensor(np.asarray(f, dtype=np.float32)) for f in features]
    here = torch.as_tensor(np.asarray(present, dtype=bool))
    if here.ndim != 2 or here.shape[1] != len(shown) or any(f.ndim != 2 or len(f) != len(here) for f in shown):
        shapes = [tuple(f.shape) for f in shown]
        raise ValueError(
            f"present must be (examples, {len(shown)}) for features of {shapes}; found {tuple(here.shape)}"
        )
    if any(not torch.isfinite(f).all() for f in shown):
        raise ValueError("a feature is NaN or infinite; give zeros where a sense is missing")
    return shown, here
