"""A small GPT, readable whole: embeddings, blocks of attention and feed-forward, and scores for the next piece.

Used by lesson 09. The notebook on pretraining explains each part. After Radford and others 2019 (GPT-2): the normalisation
comes before each part (Xiong and others 2020), and the scores use the matrix of the embeddings (Press and Wolf 2017).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from babyagi_lib.basics.arguments import check_whole


class Block(nn.Module):
    """One layer: each position collects from those before it, then a small network works on each position."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_feed = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention, self.mix = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, states: Tensor) -> Tensor:
        """(batch, length, d) to the same shape."""
        batch, length, d = states.shape
        q, k, v = (
            part.view(batch, length, self.heads, d // self.heads).transpose(1, 2)
            for part in self.attention(self.before_attention(states)).split(d, dim=2)
        )
        collected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        states = states + self.mix(collected.transpose(1, 2).reshape(batch, length, d))
        return states + self.down(F.gelu(self.up(self.before_feed(states))))


class GPT(nn.Module):
    """A causal language model over a small vocabulary.

    Args:
        vocabulary: how many different pieces there are.
        longest: pieces in the longest text.
        d: the width of the vectors, a multiple of `heads`.
        layers: how many blocks.
        heads: attention heads in each block.
        generator: where the first weights come from.
    """

    def __init__(
        self,
        vocabulary: int,
        longest: int,
        d: int = 64,
        layers: int = 2,
        heads: int = 4,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        for name, value in {"vocabulary": vocabulary, "longest": longest, "layers": layers, "heads": heads}.items():
            check_whole(name, value, 1)
        if d % heads:
            raise ValueError(f"d must be a multiple of heads; {d} is none of {heads}")
        self.longest = longest
        self.pieces, self.places = nn.Embedding(vocabulary, d), nn.Embedding(longest, d)
        self.blocks = nn.Sequential(*(Block(d, heads) for _ in range(layers)))
        self.last_norm = nn.LayerNorm(d)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:  # what is added to the states begins smaller, so that their size stays the same
                scale = (2 * layers) ** -0.5 if name.endswith(("mix.weight", "down.weight")) else 1.0
                nn.init.normal_(weight, std=scale * d**-0.5, generator=generator)
            elif name.endswith("bias"):  # torch would draw it from its global generator
                nn.init.zeros_(weight)

    def states(self, ids: Tensor) -> Tensor:
        """The last states of all positions: (batch, length) to (batch, length, d).

        Raises:
            ValueError: `ids` has another shape, or is longer than `longest`.
        """
        if ids.dim() != 2 or not 0 < ids.shape[1] <= self.longest:
            raise ValueError(f"ids must be (batch, length) with 1 to {self.longest} pieces, not {tuple(ids.shape)}")
        states = self.pieces(ids) + self.places.weight[: ids.shape[1]]
        return self.last_norm(self.blocks(states))

    def forward(self, ids: Tensor) -> Tensor:
        """Scores for the next piece at every position: (batch, length) to (batch, length, vocabulary)."""
        return self.states(ids) @ self.pieces.weight.T

    def scores_at(self, ids: Tensor, places: Tensor, pieces: Tensor) -> Tensor:
        """Scores of some pieces after one position of each text, (batch, pieces); `places` is (batch,), `pieces` (pieces,)."""
        states = self.states(ids)[torch.arange(len(ids), device=ids.device), places]
        return states @ self.pieces.weight[pieces].T


def next_piece_loss(model: GPT, ids: Tensor, pad: int, learned: Tensor | None = None) -> Tensor:
    """The mean of -log p over all pieces but the first of each text; padding is left out. Raises as `GPT.states` does.

    With `learned`, ids with padding in place of every piece that is only read, over the other pieces alone.
    """
    scores = model(ids[:, :-1])
    targets = ids if learned is None else learned
    return F.cross_entropy(scores.flatten(0, 1), targets[:, 1:].flatten(), ignore_index=pad)


def pretrain(
    model: GPT,
    texts: Tensor,
    steps: int,
    batch: int,
    rate: float,
    pad: int,
    generator: torch.Generator,
    learned: Tensor | None = None,
) -> list[float]:
    """Train a language model on texts, (texts, length), drawn at random; the rate falls to zero along half a cosine.

    `learned` is as in `next_piece_loss`, for all texts.

    Returns:
        The loss of each step.

    Raises:
        ValueError: a loss is not finite.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    losses = []
    for step in range(steps):
        rows = torch.randint(len(texts), (batch,), generator=generator)
        loss = next_piece_loss(model, texts[rows], pad, None if learned is None else learned[rows])
        if not loss.isfinite():
            raise ValueError(f"the loss of step {step} is {loss.item()}: is the rate of {rate} too large?")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses
