"""Learning from reward and from preferences where all answers can be listed. Used by lesson 09.

A policy gives each of a few answers a probability after each prompt. So the best policy is known in closed form, and every
method can be compared with it. Read in this order: what is exact (`optimum`, `frontier`, `evaluate`), then the losses, a
few lines each, then the two loops: `learn` draws answers and is told their rewards, `learn_from_pairs` is told which of
two answers was preferred. Log-probabilities are tensors (prompts, answers). The tensors and the generator of a call are on
one device; a policy moves to another one, with its prompts and answers, by `.to(device)`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.models.gpt import GPT

STD_FLOOR = 1e-4  # added to a group's standard deviation, as in TRL


class Policy(Protocol):
    """A module whose call returns log-probabilities, (prompts, answers)."""

    def __call__(self) -> Tensor:
        """Log-probabilities, (prompts, answers)."""


class OnePiece(nn.Module):
    """A GPT that answers each prompt with one of a few pieces. All other pieces get no probability.

    Args:
        gpt: the model.
        ids: the prompts, padded at the end, (prompts, longest).
        places: where each prompt ends, (prompts,).
        pieces: the ids of the answers, (answers,).
        offset: added to the scores of the answers, (answers,).
    """

    def __init__(self, gpt: GPT, ids: Tensor, places: Tensor, pieces: Tensor, offset: Tensor | None = None) -> None:
        super().__init__()
        self.gpt = gpt
        kept = {
            "ids": ids,
            "places": places,
            "pieces": pieces,
            "offset": torch.tensor(0.0) if offset is None else offset,
        }
        for name, tensor in kept.items():
            self.register_buffer(name, tensor, persistent=False)

    def states(self) -> Tensor:
        """The model's last state at the end of each prompt, (prompts, d)."""
        return self.gpt.states(self.ids)[torch.arange(len(self.ids), device=self.ids.device), self.places]

    def forward(self) -> Tensor:
        """Log-probabilities, (prompts, answers)."""
        return (self.gpt.scores_at(self.ids, self.places, self.pieces) + self.offset).log_softmax(dim=1)


class SeveralPieces(nn.Module):
    """A GPT that answers with one piece after another, each from a list of its own.

    Args:
        gpt: the model.
        ids: the prompts, padded at the end, with room for all pieces but the last, (prompts, longest).
        places: where each prompt ends, (prompts,).
        lists: the ids of the pieces that can stand at each place of the answer.
    """

    def __init__(self, gpt: GPT, ids: Tensor, places: Tensor, lists: Sequence[Tensor]) -> None:
        super().__init__()
        self.gpt, self.sizes = gpt, [len(pieces) for pieces in lists]
        # all answers but for the last piece
        begun = torch.cartesian_prod(*lists[:-1]).reshape(-1, len(lists) - 1)
        read = ids.repeat_interleave(len(begun), dim=0)
        rows = torch.arange(len(read), device=ids.device)
        for step in range(begun.shape[1]):
            read[rows, places.repeat_interleave(len(begun)) + 1 + step] = begun[:, step].repeat(len(ids))
        for name, tensor in {"ids": read, "places": places, "listed": torch.cat([*lists])}.items():
            self.register_buffer(name, tensor, persistent=False)

    @property
    def lists(self) -> tuple[Tensor, ...]:
        """The ids of the pieces that can stand at each place of the answer."""
        return self.listed.split(self.sizes)

    def pieces(self) -> list[Tensor]:
        """Log-probabilities of each piece, given those before it: (prompts, n1), (prompts, n1, n2), (prompts, n1, n2, n3)..."""
        prompts, sizes = len(self.places), self.sizes
        states = self.gpt.states(self.ids)
        at = self.places.repeat_interleave(len(self.ids) // prompts)
        rows = torch.arange(len(at), device=at.device)
        found = []
        for step, pieces in enumerate(self.lists):
            scores = states[rows, at + step] @ self.gpt.pieces.weight[pieces].T
            scores = scores.view(prompts, *sizes[:-1], sizes[step])
            for _ in range(step, len(sizes) - 1):  # what comes later cannot matter: any of its rows will do
                scores = scores.select(step + 1, 0)
            found.append(scores.log_softmax(dim=-1))
        return found

    def tables(self, pieces: Sequence[Tensor]) -> list[Tensor]:
        """Tables of single pieces as tables of whole answers, (prompts, n1 · n2 · ...); the last piece varies fastest.

        Args:
            pieces: for each place, a table as from `pieces`, or one that does not depend on the pieces before, (prompts, n).
        """
        prompts, sizes = len(self.places), self.sizes
        whole = []
        for step, piece in enumerate(pieces):
            before = sizes[:step] if piece.dim() == step + 2 else [1] * step
            shaped = piece.reshape(prompts, *before, sizes[step], *[1] * (len(sizes) - step - 1))
            whole.append(shaped.expand(prompts, *sizes).flatten(start_dim=1))
        return whole

    def forward(self) -> Tensor:
        """Log-probabilities of whole answers, (prompts, n1 · n2 · ...)."""
        return torch.stack(self.tables(self.pieces())).sum(dim=0)


# --- what is exact -------------------------------------------------------------------------------------------


def optimum(log_reference: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """Log-probabilities of the policy that maximises reward - beta · KL(policy, reference), (prompts, answers), in float64.

    It is proportional to reference · exp(reward / beta) (Korbak and others 2022; Rafailov and others 2023, equation 4).

    Raises:
        ValueError: beta is not above 0, shapes differ, or a number is not finite.
    """
    check_number("beta", beta, 0, above=True)
    _check(log_reference, rewards)
    return (log_reference.double() + rewards.double() / beta).log_softmax(dim=-1)


def kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p, q) of each prompt: (prompts, answers) and the same to (prompts,). An answer that p never gives counts 0."""
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), 0).sum(dim=-1)


class Score(NamedTuple):
    """How good a policy is, mean over prompts; `objective` is reward - beta · kl."""

    reward: float
    kl: float
    objective: float


def evaluate(log_p: Tensor, log_reference: Tensor, rewards: Tensor, beta: float) -> Score:
    """The exact score of a policy, in float64. Raises ValueError as `optimum` does."""
    _check(log_p, rewards)
    _check(log_reference, rewards)
    log_p = log_p.detach().double().log_softmax(dim=-1)  # sums to 1 in float64, too
    reward = (log_p.exp() * rewards).sum(dim=1).mean().item()
    away = kl(log_p, log_reference.double().log_softmax(dim=-1)).mean().item()
    return Score(reward, away, reward - beta * away)


def frontier(log_reference: Tensor, rewards: Tensor, betas: Sequence[float]) -> list[Score]:
    """The scores of the optima for several betas: no policy has more reward at the same KL."""
    return [evaluate(optimum(log_reference, rewards, beta), log_reference, rewards, beta) for beta in betas]


def objective(log_p: Tensor, log_reference: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """Mean over prompts of expected reward - beta · KL, by summing over all answers. Its gradient is the exact one."""
    return (log_p.exp() * (rewards - beta * (log_p - log_reference))).sum(dim=1).mean()


def equal_groups(probabilities: Tensor, rewards: Tensor, group: int) -> Tensor:
    """For each prompt the probability that all answers of a group earn the same, (prompts,).

    It is the sum over the values v of the rewards of P(reward = v)^group; with rewards 0 and 1, p^G + (1 - p)^G.
    """
    check_whole("group", group, 1)
    same = (rewards.unsqueeze(1) - rewards.unsqueeze(2)).abs() < 1e-6
    share = (same * probabilities.unsqueeze(1)).sum(dim=2)  # of all answers that earn what this one earns
    return (probabilities * share ** (group - 1)).sum(dim=1)


# --- losses --------------------------------------------------------------------------------------------------


def advantages(rewards: Tensor, baseline: str = "leave one out", *, scale: bool = False) -> Tensor:
    """How much better each answer is than the others of its group, (..., group) to the same shape.

    Args:
        rewards: of the answers to one prompt in the last axis.
        baseline: "leave one out" subtracts the mean of the other answers (Kool and others 2019; Ahmadian and others 2024),
            "mean" the mean of the group (Shao and others 2024), "none" nothing.
        scale: divide by the group's standard deviation, as GRPO does.

    Raises:
        ValueError: another baseline, a group of one answer, or a reward that is not finite.
    """
    group = rewards.shape[-1]
    if baseline not in ("leave one out", "mean", "none"):
        raise ValueError(f'baseline is {baseline!r}; expected "leave one out", "mean" or "none"')
    if group < 2:
        raise ValueError(f"a group needs two answers or more, not {group}")
    if not rewards.isfinite().all():
        raise ValueError("a reward is not finite")
    found = rewards if baseline == "none" else rewards - rewards.mean(dim=-1, keepdim=True)
    if baseline == "leave one out":
        found = found * group / (group - 1)
    return found / (rewards.std(dim=-1, keepdim=True) + STD_FLOOR) if scale else found


def reinforce_loss(log_p: Tensor, advantage: Tensor) -> Tensor:
    """Minus the mean of advantage · log p; its gradient is minus the estimate of lesson 07 (Williams 1992)."""
    return -(advantage * log_p).mean()


def clipped_loss(log_p: Tensor, old_log_p: Tensor, advantage: Tensor, clip: float = 0.2) -> Tensor:
    """PPO's loss: the ratio to the policy that drew the answers earns nothing beyond 1 ± clip (Schulman and others 2017)."""
    ratio = (log_p - old_log_p).exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


def bradley_terry_loss(scores: Tensor, wins: Tensor) -> Tensor:
    """Mean of -log sigmoid(score of the preferred answer - score of the other) (Bradley and Terry 1952).

    Args:
        scores: (prompts, answers).
        wins: how often the first answer was preferred to the second, (prompts, answers, answers).
    """
    margins = scores.unsqueeze(2) - scores.unsqueeze(1)
    return -(wins * F.logsigmoid(margins)).sum() / wins.sum()


def dpo_loss(log_p: Tensor, log_reference: Tensor, wins: Tensor, beta: float) -> Tensor:
    """The loss of Rafailov and others (2023), equation 7: Bradley-Terry with beta · log(policy / reference) as the score."""
    return bradley_terry_loss(beta * (log_p - log_reference), wins)


def kl_estimates(log_p: Tensor, log_q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Schulman's three estimates of KL(p, q) for each sample, from the log-probabilities of samples drawn from p.

    k1 is unbiased, k2 is never negative, k3 is both (Schulman 2020, http://joschu.net/blog/kl-approx.html).
    """
    ratio = log_q - log_p
    return -ratio, ratio**2 / 2, ratio.expm1() - ratio


# --- the loops -----------------------------------------------------------------------------------------------


def draw_answers(log_p: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """The numbers of answers drawn from a policy with replacement, (prompts, number)."""
    return torch.multinomial(log_p.detach().exp(), number, replacement=True, generator=generator)


def draw_pairs(log_p: Tensor, rewards: Tensor, pairs: int, generator: torch.Generator) -> Tensor:
    """Pairs of different answers drawn from a policy, judged with Bradley and Terry's noise.

    The first is preferred with the probability sigmoid(its reward - the reward of the other).

    Returns:
        How often the first answer was preferred to the second, (prompts, answers, answers).
    """
    check_whole("pairs", pairs, 1)
    prompts, answers = log_p.shape
    rows = torch.arange(prompts, device=log_p.device).repeat_interleave(pairs)
    first, second = torch.multinomial(log_p.detach().exp()[rows], 2, generator=generator).T
    better = torch.sigmoid(rewards[rows, first] - rewards[rows, second])
    won = torch.rand(len(rows), generator=generator, device=log_p.device) < better
    chosen, rejected = torch.where(won, first, second), torch.where(won, second, first)
    wins = torch.zeros(prompts, answers, answers, device=log_p.device)
    return wins.index_put_((rows, chosen, rejected), wins.new_ones(len(rows)), accumulate=True)


def learn(
    policy: nn.Module,
    rewards: Tensor,
    method: str,
    *,
    beta: float,
    steps: int,
    rate: float,
    group: int = 8,
    epochs: int = 4,
    seed: int = 0,
) -> nn.Module:
    """Train a copy of a policy to maximise reward - beta · KL to the policy as it was.

    All methods see the reward minus beta · log(policy / reference) of the answers that they drew, but for "exact", which
    sums over all answers. The rate falls to zero in a straight line.

    Args:
        policy: the reference, where learning begins; a `Policy`.
        rewards: of each answer to each prompt, (prompts, answers).
        method: "exact"; "reinforce" with the leave-one-out baseline; "grpo", which subtracts the group's mean and divides by
            its standard deviation; or "ppo", which uses each batch of answers `epochs` times with a clipped loss.
        beta: the price of KL, 0 or more.
        steps: updates of the weights.
        rate: of Adam, at the first step.
        group: answers that are drawn for each prompt.
        epochs: of PPO.
        seed: of the draws.

    Returns:
        The trained copy.

    Raises:
        ValueError: an unknown method, a parameter out of its range, wrong shapes, or a number that is not finite.
    """
    if method not in ("exact", "reinforce", "grpo", "ppo"):
        raise ValueError(f'method is {method!r}; expected "exact", "reinforce", "grpo" or "ppo"')
    check_number("beta", beta, 0)
    for name, value in {"steps": steps, "epochs": epochs, "group": group - 1}.items():
        check_whole(name, value, 1)
    with torch.no_grad():
        log_reference = policy()
    _check(log_reference, rewards)
    policy, generator = copy.deepcopy(policy), torch.Generator(log_reference.device).manual_seed(seed)
    optimiser = torch.optim.Adam(policy.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    for step in range(steps):
        log_p = policy()
        if not log_p.isfinite().all():
            raise ValueError(f"at step {step} a log-probability is not finite: is the rate of {rate} too large?")
        if method == "exact":
            loss = -objective(log_p, log_reference, rewards, beta)
        else:
            if method != "ppo" or step % epochs == 0:  # new answers
                old = log_p.detach()
                drawn = draw_answers(old, group, generator)
                earned = (rewards - beta * (old - log_reference)).gather(1, drawn)
                advantage = advantages(earned, "mean", scale=True) if method == "grpo" else advantages(earned)
            chosen = log_p.gather(1, drawn)
            if method == "ppo":
                loss = clipped_loss(chosen, old.gather(1, drawn), advantage)
            else:
                loss = reinforce_loss(chosen, advantage)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return policy


def learn_from_pairs(policy: nn.Module, wins: Tensor, *, beta: float, steps: int, rate: float) -> nn.Module:
    """DPO: train a copy of a policy on preferences, (prompts, answers, answers), without rewards and without new answers.

    The rate falls to zero in a straight line. Raises ValueError as `learn` does.
    """
    check_number("beta", beta, 0, above=True)
    check_whole("steps", steps, 1)
    with torch.no_grad():
        log_reference = policy()
    if wins.shape != (*log_reference.shape, log_reference.shape[1]) or not wins.sum() > 0:
        raise ValueError(f"wins must be (prompts, answers, answers) with a pair in it, not {tuple(wins.shape)}")
    policy = copy.deepcopy(policy)
    optimiser = torch.optim.Adam(policy.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    for step in range(steps):
        loss = dpo_loss(policy(), log_reference, wins, beta)
        if not loss.isfinite():
            raise ValueError(f"the loss of step {step} is {loss.item()}: is the rate of {rate} too large?")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return policy


def reward_model(states: Tensor, wins: Tensor, ridge: float = 1e-3) -> tuple[Tensor, Tensor]:
    """Bradley-Terry's scores as a linear function of the states of a language model, fitted to preferences.

    Args:
        states: what the model knows at the end of each prompt, (prompts, d).
        wins: (prompts, answers, answers).
        ridge: weight of the sum of the squared weights in the loss.

    Returns:
        Weights (d, answers) and biases (answers,): the scores are `states @ weights + biases`.
    """
    check_number("ridge", ridge, 0, above=True)
    answers = wins.shape[1]
    weights = torch.zeros(states.shape[1], answers, requires_grad=True, device=states.device)
    biases = torch.zeros(answers, requires_grad=True, device=states.device)
    optimiser = torch.optim.LBFGS([weights, biases], max_iter=200, line_search_fn="strong_wolfe")

    @torch.enable_grad()
    def loss() -> Tensor:
        optimiser.zero_grad()
        fitted = bradley_terry_loss(states @ weights + biases, wins)
        penalised = fitted + ridge * ((weights**2).sum() + (biases**2).sum())
        penalised.backward()
        return penalised

    optimiser.step(loss)
    return weights.detach(), biases.detach()


def _check(log_p: Tensor, rewards: Tensor) -> None:
    if log_p.dim() != 2 or log_p.shape != rewards.shape:
        raise ValueError(
            f"log-probabilities are {tuple(log_p.shape)} and rewards {tuple(rewards.shape)}; both must be (prompts, answers)"
        )
    if log_p.isnan().any():
        raise ValueError("a log-probability of the policy is NaN")
    if not rewards.isfinite().all():
        raise ValueError("a reward is not finite")
