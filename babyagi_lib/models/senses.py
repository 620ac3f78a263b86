"""Encoders of a picture, of a tap and of a note: each says what it senses of a part. Used by lesson 11.

A picture or a spectrogram goes through three strided convolutions, a note is already a vector of the pretrained encoder. Then
one linear head for each property that the sense can tell. The outputs of all heads lie side by side.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_whole

CLASSES = {"shape": 3, "material": 2, "cracked": 2}
# The properties that each sense tells, in the order of its heads, and the shape of one of its inputs.
PROPERTIES = {"picture": ("shape", "material"), "note": ("shape", "material"), "sound": ("material", "cracked")}
SHAPES = {"picture": (32, 32), "note": (384,), "sound": (128, 15)}
WIDTH = 48  # features of a picture or a sound


class SenseEncoder(nn.Module):
    """Inputs of one sense, (batch, *SHAPES[sense]), to features, and from these to the logits of each property.

    Args:
        sense: "picture", "note" or "sound".
        seed: for the weights at the start. It uses a random stream of its own.
        inputs: the shape of one input; None for the usual one. A note can be any vector, a picture or a spectrogram needs at
            least 8 by 8 numbers.

    Attributes:
        temperature: one for each property, 1 until `methods.sensing.calibrate` sets them; logits are divided by them.

    Raises:
        ValueError: there is no such sense, or its inputs cannot have this shape.
    """

    temperature: Tensor

    def __init__(self, sense: str, seed: int, inputs: tuple[int, ...] | None = None) -> None:
        super().__init__()
        if sense not in PROPERTIES:
            raise ValueError(f"there is no sense {sense!r}; there are {', '.join(PROPERTIES)}")
        check_whole("seed", seed, 0)
        self.sense, self.properties = sense, PROPERTIES[sense]
        self.inputs = SHAPES[sense] if inputs is None else tuple(inputs)
        if len(self.inputs) != len(SHAPES[sense]) or (len(self.inputs) == 2 and min(self.inputs) < 8):
            raise ValueError(f"inputs of {sense} like {SHAPES[sense]} are needed; found {self.inputs}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = nn.Identity() if len(self.inputs) == 1 else _convolutions(*self.inputs)
            self.width = self.inputs[0] if len(self.inputs) == 1 else WIDTH
            self.heads = nn.ModuleList(nn.Linear(self.width, CLASSES[name]) for name in self.properties)
        self.register_buffer("temperature", torch.ones(len(self.properties)))

    def features(self, inputs: Tensor) -> Tensor:
        """(batch, *shape of an input) to (batch, width).

        Raises:
            ValueError: the inputs have another shape.
        """
        if inputs.shape[1:] != self.inputs:
            raise ValueError(
                f"expected {self.sense} inputs (batch, {', '.join(map(str, self.inputs))}), found {tuple(inputs.shape)}"
            )
        return self.body(inputs)

    def forward(self, inputs: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Logits of all properties side by side, (batch, classes of all); with labels (batch, properties), the loss too.

        The loss is the mean of the properties' cross-entropies. The temperature does not enter it.
        """
        features = self.features(inputs)
        logits = [head(features) for head in self.heads]
        out = {"logits": torch.cat(logits, dim=1)}
        if labels is not None:
            losses = [nn.functional.cross_entropy(z, y) for z, y in zip(logits, labels.T, strict=True)]
            out["loss"] = torch.stack(losses).mean()
        return out

    def split(self, logits: Tensor) -> dict[str, Tensor]:
        """The log-probabilities of each property, at its temperature: (batch, classes of all) to (batch, classes) each."""
        parts = logits.split([CLASSES[name] for name in self.properties], dim=1)
        return {
            name: torch.log_softmax(part.double() / temperature, dim=1)
            for name, part, temperature in zip(self.properties, parts, self.temperature.tolist(), strict=True)
        }


def _convolutions(rows: int, columns: int) -> nn.Sequential:
    """Three convolutions that halve rows and columns each, then all that is left to `WIDTH` features."""
    sizes = (1, 16, 32, 48)
    layers: list[nn.Module] = [nn.Unflatten(1, (1, rows))]
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Conv2d(before, after, 5, stride=2, padding=2), nn.ReLU()]
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(sizes[-1] * rows * columns, WIDTH), nn.ReLU())
