"""Lesson 09's library keeps to the device of its tensors. There is no GPU here, so torch's device "meta" stands for another one.

It computes shapes only, and what mixes it with a number of the CPU raises an error.
"""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from babyagi_lib.models import gpt
from babyagi_lib.rl import estimates, preferences
from babyagi_lib.worlds import part_notes as parts

BEFORE = {"beta": 0.1, "steps": 3, "rate": 0.01}


def policies():
    """One of each kind, each for four notes."""
    notes = parts.write_notes(4, np.random.default_rng(0))
    model = gpt.GPT(len(parts.VOCABULARY), 16, d=16, heads=2, generator=torch.Generator().manual_seed(0))
    ids, places = map(torch.tensor, notes.inputs())
    pieces = torch.tensor(parts.ANSWER_PIECES)
    yield preferences.OnePiece(model, ids, places, pieces)
    yield preferences.OnePiece(model, ids, places, pieces, offset=torch.arange(8.0))
    ids, places = map(torch.tensor, notes.inputs(parts.REPORT))
    lists = [torch.tensor(pieces) for pieces in parts.REPORT_PIECES]
    yield preferences.SeveralPieces(model, F.pad(ids, (0, 2)), places, lists)


def kept(policy):
    """All tensors that a policy and its parts hold, however they hold them."""
    for module in policy.modules():
        for value in [*vars(module).values(), module._parameters, module._buffers]:
            values = (
                value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else [value]
            )
            yield from (one for one in values if isinstance(one, torch.Tensor))


@pytest.mark.parametrize("kind", range(3))
def test_a_policy_moves_with_all_it_keeps(kind):
    policy = [*policies()][kind]
    saved, shape = {f"gpt.{name}" for name in policy.gpt.state_dict()}, policy().shape
    assert policy.state_dict().keys() == saved, "the prompts are no weights"
    policy.to("meta")
    found = [*kept(policy)]
    assert len(found) > len(saved) and {tensor.device.type for tensor in found} == {"meta"}
    log_p = policy()
    assert log_p.device.type == "meta" and log_p.shape == shape


def test_what_is_drawn_is_where_the_policy_is():
    log_p, rewards = torch.zeros(2, 4, 8, device="meta")
    generator = torch.Generator()
    wins = preferences.draw_pairs(log_p, rewards, 3, generator)
    assert (wins.device.type, wins.shape) == ("meta", (4, 8, 8))
    assert preferences.draw_answers(log_p, 3, generator).device.type == "meta"


@pytest.fixture
def elsewhere(monkeypatch):
    """What is made without a device is made on another one than that of the tensors given: it cannot meet them."""
    monkeypatch.setattr(torch.optim, "Adam", torch.optim.SGD)  # Adam counts its steps in tensors, always on the CPU
    with torch.device("meta"):
        yield


@pytest.fixture
def reports():
    return [*policies()][2]


@pytest.fixture
def log_p(reports):
    return reports().detach()


def test_everything_made_on_the_way_is_on_the_device_of_what_was_given(reports, log_p, elsewhere):
    assert torch.zeros(1).device.type == "meta"
    again = preferences.SeveralPieces(reports.gpt, reports.ids[::6], reports.places, reports.lists)
    assert torch.equal(again.ids, reports.ids)
    rewards = log_p.sin()
    for method in ("exact", "reinforce", "grpo", "ppo"):
        learned = preferences.learn(reports, rewards, method, **BEFORE)
        assert learned().device.type == "cpu" and not torch.equal(learned(), log_p)
    wins = preferences.draw_pairs(log_p, rewards, 3, torch.Generator().manual_seed(0))
    assert wins.sum() == 12
    assert not torch.equal(preferences.learn_from_pairs(reports, wins, **BEFORE)(), log_p)
    weights, biases = preferences.reward_model(log_p[:, :3], wins)
    assert weights.abs().sum() > 0 and biases.device.type == "cpu"
    assert preferences.evaluate(log_p, log_p, rewards, 0.1).kl == 0
    assert preferences.frontier(log_p, rewards, [0.1])[0].reward > (log_p.exp() * rewards).sum(dim=1).mean()
    assert preferences.equal_groups(log_p.exp(), rewards, 3).device.type == "cpu"
    drawn = preferences.draw_answers(log_p, 6, torch.Generator().manual_seed(0)).view(4, 2, 3)
    gradient = estimates.mean_gradient(reports, torch.zeros_like(drawn, dtype=torch.float32) + 1, drawn)
    assert all(slope.device.type == "cpu" for slope in estimates.slopes(reports, gradient, lambda one: one.pieces()))
