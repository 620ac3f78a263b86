"""Lesson 10's policies and PPO: what they compute, that they learn what can be learned, and how they fail."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

from babyagi_lib.figures import reading_agent as figures
from babyagi_lib.learner.checks import reading_agent as checks
from babyagi_lib.models.matching import ReadingPolicy, standardise
from babyagi_lib.rl import policy_gradients, ppo
from babyagi_lib.worlds import fetch, fetch_agents, fetch_sentences

KNOWN = fetch_sentences.write()
BAGS = standardise(fetch_sentences.words(KNOWN, KNOWN), fetch_sentences.words(KNOWN, KNOWN))


def policy(seed=0, **options):
    return ReadingPolicy(BAGS, fetch_agents.PROPERTIES, seed, units=64, **options)


# --- the network ---------------------------------------------------------------------------------------------


def test_factored_scores_of_bags_of_words_are_a_colour_part_plus_a_kind_part():
    """With any weights: the score of a red key under "red key" follows from those of the three other combinations."""
    things = policy().scores().detach()[:, fetch.FIRST :].reshape(5, 2, 6, 2, 6)
    pairs = things[:, 0, 0] + things[:, 1, 1] - things[:, 0, 1] - things[:, 1, 0]  # over instructions
    assert torch.allclose(pairs, torch.zeros_like(pairs), atol=1e-4)
    cells = things[..., 0, 0] + things[..., 1, 1] - things[..., 0, 1] - things[..., 1, 0]  # over things
    assert torch.allclose(cells, torch.zeros_like(cells), atol=1e-4)
    free = policy(factored=False).scores().detach()[:, fetch.FIRST :].reshape(5, 2, 6, 2, 6)
    assert (free[..., 0, 0] + free[..., 1, 1] - free[..., 0, 1] - free[..., 1, 0]).abs().max() > 0.1


def test_cells_that_are_no_things_score_nothing():
    assert (policy().scores()[:, : fetch.FIRST] == 0).all()


@pytest.mark.parametrize("options", [{}, {"matching": False}, {"factored": False}])
def test_a_policy_reads_the_sentence_that_it_is_told(options):
    net, rooms = policy(**options), fetch.draw_layouts(6, np.random.default_rng(0))
    view, told = map(torch.as_tensor, fetch.Fetch(rooms).see())
    other = net.told(BAGS[::-1].copy())
    assert torch.allclose(net(view, told)[1], other(view, 59 - told)[1], atol=1e-6)
    assert not torch.allclose(net(view, told)[1], net(view, 59 - told)[1], atol=1e-6)
    assert all(one is same for one, same in zip(net.parameters(), other.parameters(), strict=True))
    with pytest.raises(ValueError, match="expected"):
        net.told(np.zeros((3, 5)))


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_own_seed_alone():
    before = torch.get_rng_state()
    one, same, other = policy(3), policy(3), policy(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.vectors, other.vectors)


def test_standardised_vectors_have_one_scale_for_all_numbers():
    found = standardise(BAGS * 3 + 5, BAGS * 3 + 5)
    assert np.allclose(found.mean(axis=0), 0, atol=1e-6) and found.std() == pytest.approx(1)
    assert not np.allclose(found.std(axis=0), 1)


# --- PPO -----------------------------------------------------------------------------------------------------


def test_advantages_are_those_of_lesson_07():
    """On episodes of a table, laid one after the other in a single room."""
    draw = np.random.default_rng(0)
    lengths, gamma, lam = [4, 1, 6], 0.9, 0.7
    steps = sum(lengths)
    V, reward = draw.normal(size=steps + 1), draw.normal(size=steps)
    ended = np.zeros(steps, bool)
    ended[np.cumsum(lengths) - 1] = True
    found = ppo.advantages(
        *(torch.tensor(part)[:, None] for part in (reward, V[:-1])),
        torch.tensor(V[-1:]),
        torch.tensor(ended)[:, None],
        gamma,
        lam,
    )[:, 0].numpy()
    first = 0
    for length in lengths:
        part = slice(first, first + length)
        over = np.zeros(length, bool)
        over[-1] = True
        state = np.arange(first, first + length)
        columns = (state, np.zeros(length, int), reward[part], state + 1, over, np.ones(length, bool))
        episode = policy_gradients.Episodes(*(column[:, None] for column in columns), np.zeros(1, int))
        assert np.allclose(found[part], policy_gradients.gae(episode, V, gamma, lam)[:, 0])
        first += length


class Signals:
    """Rooms in which the number that is shown is the action that pays 1. An episode is one step, or is cut after ten."""

    def __init__(self, rooms=64, reward=1.0, ends=True):
        self.rooms, self.reward, self.ends = rooms, reward, ends
        self.draw, self.steps = np.random.default_rng(0), np.zeros(rooms, int)
        self.shown = self.draw.integers(3, size=rooms)

    def see(self):
        return (np.eye(3, dtype=np.float32)[self.shown],)

    def step(self, action):
        self.steps += 1
        paid = np.where(action == self.shown, self.reward, 0.0)
        if not self.ends:
            return np.ones(self.rooms), np.zeros(self.rooms, bool), self.steps >= 10
        return paid, np.ones(self.rooms, bool), np.zeros(self.rooms, bool)

    def restart(self, which):
        self.steps[which] = 0
        self.shown[which] = self.draw.integers(3, size=int(which.sum()))


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.act, self.worth = nn.Linear(3, 3), nn.Linear(3, 1)
        for weight in self.parameters():
            nn.init.zeros_(weight)

    def forward(self, seen):
        return self.act(seen), self.worth(seen)[:, 0]


def test_ppo_learns_to_answer_a_signal():
    net = Linear()
    log = ppo.learn(net, Signals(), steps=20_000, rate=0.03, batch=256, seed=0)
    assert log.earned[0] < 0.5 and log.earned[-1] > 0.95
    assert (net(torch.eye(3))[0].argmax(dim=1) == torch.arange(3)).all()
    assert log.steps[-1] >= 20_000 and (log.length == 1).all()
    assert log.entropy[-1] < log.entropy[0] <= np.log(3) + 1e-6


def test_ppo_bootstraps_at_a_time_limit():
    """Every step pays 1 and every tenth is cut: the value is that of a life without end, 1 / (1 - gamma)."""
    net = Linear()
    ppo.learn(net, Signals(ends=False), steps=100_000, rate=0.05, gamma=0.8, batch=512, seed=0)
    assert net(torch.eye(3))[1].detach().numpy() == pytest.approx(5.0, abs=0.3)


def test_the_same_seed_learns_the_same():
    def run(seed):
        net = policy(1)
        log = ppo.learn(net, fetch.rooms(32, np.random.default_rng(5)), steps=2000, batch=128, seed=seed)
        return net.read.weight.detach().numpy(), log.earned

    (one, shares), (same, again), (other, _) = run(0), run(0), run(1)
    assert np.array_equal(one, same) and np.array_equal(shares, again, equal_nan=True)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"gamma": 1.5}, "gamma is 1.5"),
        ({"rate": 0}, "rate is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"clip": float("nan")}, "clip is nan"),
    ],
)
def test_parameters_out_of_range_are_named(options, said):
    with pytest.raises(ValueError, match=said):
        ppo.learn(Linear(), Signals(), **{"steps": 100} | options)


def test_what_is_not_finite_is_named():
    net = Linear()
    nn.init.constant_(net.act.bias, float("nan"))
    with pytest.raises(ValueError, match="logit of the policy is not finite"):
        ppo.learn(net, Signals(), steps=100)
    with pytest.raises(ValueError, match="a reward is not finite"):
        ppo.learn(Linear(), Signals(reward=float("inf")), steps=100)


def test_an_agent_learns_to_read_by_imitation_and_a_blind_one_does_not():
    """Small rooms, a few seconds. The blind one is at the exact chance."""
    small = {"size": 5, "objects": 2, "phrases": 5}
    rooms = fetch.draw_layouts(1500, np.random.default_rng(0), **small)
    test = fetch.draw_layouts(600, np.random.default_rng(1), **small)
    reader, blind = policy(0), policy(0).told(np.zeros_like(BAGS))
    losses = fetch_agents.clone(reader, rooms, epochs=15)
    assert losses[-1] < losses[0] / 2
    assert fetch_agents.play(reader, test, seed=0).right(test) > 0.85
    blind.load_state_dict(policy(0).told(np.zeros_like(BAGS)).state_dict())
    fetch_agents.clone(blind, rooms, epochs=15)
    chance = fetch.blind_chance(2)
    share = fetch_agents.play(blind, test, seed=0).right(test)
    assert abs(share - chance) < 0.08


# --- figures --------------------------------------------------------------------------------------------------


def test_a_step_of_the_film_is_described_in_words():
    rooms = fetch.draw_layouts(1, np.random.default_rng(40))
    moment = fetch.Moment(rooms.grid[0], (1, 6), 3, np.array([0.1, 0.2, 0.65, 0.05]), 2)
    figure, alt = figures.room(moment, "get a red ball", 4)
    plt.close(figure)
    assert "Told “get a red ball”, step 4: the agent is in column 1, row 6, facing up;" in alt
    assert "Probability 0.10 for turn left, 0.20 for turn right, 0.65 for forward, 0.05 for pick up." in alt
    assert alt.endswith("It does: forward.")
    for code, count in zip(*np.unique(rooms.grid[rooms.grid >= fetch.FIRST], return_counts=True), strict=True):
        assert alt.count(f"{fetch.THINGS[code - fetch.FIRST]} in column") == count


@pytest.mark.parametrize("heading", range(4))
def test_the_tinted_cells_are_those_in_view(heading):
    """A thing lies in the tint exactly if the agent sees it."""
    for seed in range(12):
        rooms = fetch.draw_layouts(1, np.random.default_rng(seed))
        rooms = fetch.Layouts(rooms.grid, rooms.position, np.array([heading]), rooms.target, rooms.phrase)
        x, y = rooms.position[0].tolist()
        moment = fetch.Moment(rooms.grid[0], (x, y), heading, np.ones(4) / 4, 0)
        figure, axis = plt.subplots()
        figures._floor(axis, moment, 8)
        tint = axis.patches[1]
        low = np.array(tint.get_xy())
        high = low + np.array([tint.get_width(), tint.get_height()])
        plt.close(figure)
        things = np.argwhere(rooms.grid[0] >= fetch.FIRST)
        inside = ((things > low) & (things < high)).all(axis=1).sum()
        assert inside == (fetch.Fetch(rooms).see()[0] >= fetch.FIRST).sum()


# --- the checks know their mistakes ---------------------------------------------------------------------------


def test_no_two_mistakes_look_alike_on_the_cases():
    cases = {
        "path": (checks.PATH_MISTAKES, checks.search, checks.rooms()),
        "proof": (checks.PROOF_MISTAKES, checks.both, [checks.tried(agent) for agent in checks.agents()]),
    }
    for mistakes, right, drawn in cases.values():
        told = {"right": [right(case) for case in drawn]} | {m: [f(case) for case in drawn] for m, f in mistakes}
        for (one, first), (other, second) in itertools.combinations(told.items(), 2):
            assert not np.allclose(first, second, atol=1e-3), f"{one!r} and {other!r}"
    sentences = [[sentence for sentence, _ in case] for case in checks.TESTS]
    told = {"right": [[right for _, right in case] for case in checks.TESTS]}
    told |= {message: [mistake(case) for case in sentences] for message, mistake in checks.LEAK_MISTAKES}
    for (one, first), (other, second) in itertools.combinations(told.items(), 2):
        assert first != second, f"{one!r} and {other!r}"
    assert told["right"] == [checks._by(checks.wording)(case) for case in sentences]
