"""Lesson 09's library: the world of notes, the small GPT, and learning from reward, held against what is known."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.nn import functional as F

from babyagi_lib.models import gpt
from babyagi_lib.rl import estimates, preferences
from babyagi_lib.worlds import part_notes as parts


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def table(rows, columns, seed=0, scale=1.0):
    """Log-probabilities and rewards of a random problem, in float64."""
    scores = torch.randn(2, rows, columns, generator=generator(seed)).double()
    return (2 * scores[0]).log_softmax(dim=1), scale * scores[1]


class Table(torch.nn.Module):
    """A policy that is a table of scores."""

    def __init__(self, log_p):
        super().__init__()
        self.scores = torch.nn.Parameter(log_p.clone().float())

    def forward(self):
        return self.scores.log_softmax(dim=1)


# --- the world -----------------------------------------------------------------------------------------------


def test_rewards_are_those_of_the_parts_that_are_still_possible():
    notes = parts.write_notes(300, np.random.default_rng(0), words=(0, 1, 2, 3), left_out=0.4)
    table = parts.reward_table()
    for said, found in zip(notes.said, notes.rewards(), strict=True):
        total, weight = np.zeros(8), 0.0
        for part in np.ndindex(3, 2, 2):
            if all(s in (-1, value) for s, value in zip(said, part, strict=True)):
                chance = parts.CRACKED if part[2] else 1 - parts.CRACKED
                total, weight = total + chance * table[part], weight + chance
        assert np.allclose(found, total / weight)


def test_the_reward_table_is_that_of_the_text():
    table = parts.reward_table()
    assert parts.ANSWERS[3] == "shaft+brass" and table[1, 1, 0, 3] == 1
    assert (table[1, 1, 0] == [-1, -1, -1, 1, -1, -1, -0.5, -0.2]).all()
    assert (table[:, :, 1] == [*[-1.5] * 6, 1, -0.2]).all()


def test_probabilities_sum_to_one_and_nothing_is_impossible():
    notes = parts.write_notes(200, np.random.default_rng(1))
    for shares in (notes.worker(), *notes.report(), *notes.beliefs()):
        assert np.allclose(shares.sum(axis=1), 1) and (shares >= 0).all()
    assert (notes.worker() > 0).all()


def test_the_worker_ships_cracked_parts_in_three_of_ten_cases():
    note = parts.Notes((("split", "steel", "cog"),), np.array([[0, 0, 1]]))
    worker = note.worker()[0]
    assert worker[parts.SCRAP] == pytest.approx(0.5 + 0.2 / 8) and worker[0] == pytest.approx(0.3 + 0.2 / 8)


def test_notes_say_what_they_are_about_and_use_only_the_words_asked_for():
    notes = parts.write_notes(400, np.random.default_rng(2), templates=(0, 3), words=(1,))
    for text, said in zip(notes.texts, notes.said, strict=True):
        for lists, value, name in zip(parts.WORDS.values(), said, parts.WORDS, strict=True):
            expected = {lists[value][1]} if value >= 0 else set(parts.LEFT_OUT[name])
            assert expected & set(text)
    unread = {words[3] for lists in parts.WORDS.values() for words in lists}
    pretraining = parts.write_notes(2000, np.random.default_rng(3))
    assert not unread & {word for text in pretraining.texts for word in text}
    assert np.mean(pretraining.said[:, 2] == 1) == pytest.approx(0.85 * parts.CRACKED, abs=0.03)


def test_inputs_end_where_they_say():
    notes = parts.write_notes(50, np.random.default_rng(4))
    ids, places = notes.inputs()
    assert (ids[np.arange(50), places] == parts.PIECES[parts.DECIDE]).all()
    assert [[parts.VOCABULARY[i] for i in row[:n]] for row, n in zip(ids, places, strict=True)] == [
        *map(list, notes.texts)
    ]
    assert (ids == parts.PIECES[parts.PAD]).sum() == (ids.shape[1] - 1 - places).sum()


def test_worked_examples_follow_the_workers_probabilities():
    notes = parts.Notes((("split", "steel", "cog"),) * 4000, np.tile([0, 0, 1], (4000, 1)))
    examples = parts.worked_examples(notes, np.random.default_rng(5))
    found = np.array([(examples[:4000, 4] == piece).mean() for piece in parts.ANSWER_PIECES])
    assert np.abs(found - notes.worker()[0]).max() < 4 * (0.25 / 4000) ** 0.5
    for place, (pieces, shares) in enumerate(zip(parts.REPORT_PIECES, notes.report(), strict=True)):
        found = np.array([(examples[4000:, 4 + place] == piece).mean() for piece in pieces])
        assert np.abs(found - shares[0]).max() < 4 * (0.25 / 4000) ** 0.5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"templates": (9,)}, "templates"),
        ({"words": ()}, "words"),
        ({"left_out": 1.2}, "left_out"),
        ({"templates": ()}, "t"),
    ],
)
def test_notes_that_cannot_be_written(options, said):
    with pytest.raises(ValueError, match=said):
        parts.write_notes(3, np.random.default_rng(0), **options)


def test_an_unknown_word_is_named():
    with pytest.raises(ValueError, match="'cube'"):
        parts.Notes((("cube",),), np.array([[-1, -1, -1]])).inputs()


# --- the model -----------------------------------------------------------------------------------------------


def small(seed=0, **options):
    return gpt.GPT(20, 6, d=8, layers=2, heads=2, generator=generator(seed), **options)


def test_no_position_sees_what_comes_later():
    model, ids = small(), torch.randint(20, (3, 6), generator=generator())
    changed = ids.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % 20
    with torch.no_grad():
        before, after = model(ids), model(changed)
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert not torch.allclose(before[:, 4:], after[:, 4:], atol=1e-3)


def test_attention_is_lesson_01s_by_hand():
    block = gpt.Block(8, 2)
    states = torch.randn(1, 5, 8, generator=generator())
    q, k, v = block.attention(block.before_attention(states))[0].split(8, dim=1)
    rows = []
    for i in range(5):
        heads = []
        for h in (slice(0, 4), slice(4, 8)):
            weights = (k[: i + 1, h] @ q[i, h] / 2).softmax(dim=0)
            heads.append(weights @ v[: i + 1, h])
        rows.append(torch.cat(heads))
    middle = states[0] + block.mix(torch.stack(rows))
    expected = middle + block.down(F.gelu(block.up(block.before_feed(middle))))
    assert torch.allclose(block(states)[0], expected, atol=1e-5)


def test_the_first_weights_come_from_the_generator_alone():
    torch.manual_seed(0)
    one = small(1)
    torch.manual_seed(99)
    other = small(1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_small_model_learns_a_rule_and_repeats_itself():
    """The next piece is the last one plus 1."""
    texts = (torch.arange(20)[:, None] + torch.arange(6)) % 19 + 1

    def trained():
        model = small(3)
        losses = gpt.pretrain(model, texts, steps=150, batch=32, rate=1e-2, pad=0, generator=generator(4))
        return model, losses

    (model, losses), (_, again) = trained(), trained()
    assert losses == again and losses[-1] < 0.3 < losses[0]
    scores = model.scores_at(texts[:, :3], torch.full((20,), 2), torch.arange(20))
    assert (scores.argmax(dim=1) == texts[:, 3]).float().mean() > 0.9


def test_padding_does_not_count():
    model = small()
    texts = torch.tensor([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 9]])
    apart = [gpt.next_piece_loss(model, texts[[row]], pad=0) for row in range(2)]
    together = gpt.next_piece_loss(model, texts, pad=0).item()
    assert together == pytest.approx(((2 * apart[0] + 5 * apart[1]) / 7).item())


@pytest.mark.parametrize(
    ("ids", "said"), [(torch.zeros(2, 7, dtype=torch.long), "1 to 6"), (torch.zeros(6, dtype=torch.long), "(6,)")]
)
def test_texts_of_another_shape(ids, said):
    with pytest.raises(ValueError, match="ids must be") as error:
        small()(ids)
    assert said in str(error.value)


def test_a_width_that_the_heads_cannot_share():
    with pytest.raises(ValueError, match="multiple of heads"):
        gpt.GPT(9, 4, d=10, heads=4, generator=generator())
    with pytest.raises(ValueError, match="is the rate"):
        gpt.pretrain(small(), torch.ones(4, 6, dtype=torch.long), 40, 4, 1e12, 0, generator())


def report_policy():
    notes = parts.write_notes(5, np.random.default_rng(6))
    model = gpt.GPT(len(parts.VOCABULARY), 12, d=16, heads=2, generator=generator(7))
    ids, places = map(torch.tensor, notes.inputs(parts.REPORT))
    lists = [torch.tensor(pieces) for pieces in parts.REPORT_PIECES]
    return preferences.SeveralPieces(model, F.pad(ids, (0, 2)), places, lists), notes


def test_whole_answers_are_their_pieces_one_after_another():
    policy, notes = report_policy()
    found = policy().view(5, 3, 2, 2)
    assert torch.allclose(found.exp().sum(dim=(1, 2, 3)), torch.ones(5), atol=1e-5)
    for row, (s, m, c) in ((0, (2, 1, 0)), (3, (0, 0, 1)), (4, (1, 0, 0))):
        text = [parts.PIECES[word] for word in (*notes.texts[row], parts.REPORT)]
        total = 0.0
        for chosen, pieces in zip((s, m, c), policy.lists, strict=True):
            scores = policy.gpt(torch.tensor([text]))[0, -1, pieces]
            total += scores.log_softmax(dim=0)[chosen].item()
            text.append(int(pieces[chosen]))
        assert found[row, s, m, c].item() == pytest.approx(total, abs=1e-4)


def test_tables_of_pieces_are_tables_of_answers():
    policy, _ = report_policy()
    single = [torch.arange(5.0 * n).view(5, n) for n in (3, 2, 2)]
    whole = [table.view(5, 3, 2, 2) for table in policy.tables(single)]
    assert whole[0][4, 2, 1, 0] == 14 and whole[1][4, 2, 1, 0] == 9 and whole[2][4, 2, 1, 0] == 8
    assert torch.allclose(torch.stack(policy.tables(policy.pieces())).sum(dim=0), policy())


# --- what is exact -------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(some.integers(0, 10**6), some.floats(0.05, 5), some.integers(2, 9))
def test_no_policy_beats_the_optimum_and_none_is_above_the_frontier(seed, beta, answers):
    log_ref, rewards = table(4, answers, seed)
    best = preferences.optimum(log_ref, rewards, beta)
    top = preferences.evaluate(best, log_ref, rewards, beta).objective
    for scale in (0.1, 1.0, 5.0):
        noise = torch.randn(best.shape, generator=generator(seed + 1)).double()
        other = (best + scale * noise).log_softmax(dim=1)
        score = preferences.evaluate(other, log_ref, rewards, beta)
        assert score.objective <= top + 1e-9
        away = preferences.kl(other, best).mean().item()
        assert score.objective == pytest.approx(top - beta * away, abs=1e-8)
    betas = np.geomspace(50, 0.05, 12)
    curve = preferences.frontier(log_ref, rewards, betas)
    for b, score in zip(betas, curve, strict=True):
        assert all(other.reward - b * other.kl <= score.objective + 1e-9 for other in curve)
    assert np.all(np.diff([s.kl for s in curve]) >= -1e-9) and np.all(np.diff([s.reward for s in curve]) >= -1e-9)


def test_the_exact_gradient_is_zero_at_the_optimum_and_that_of_the_reward_at_the_reference():
    log_ref, rewards = table(5, 6)
    best = preferences.optimum(log_ref, rewards, 0.3)
    scores = best.clone().requires_grad_()
    preferences.objective(scores.log_softmax(dim=1), log_ref, rewards, 0.3).backward()
    assert scores.grad.abs().max() < 1e-12
    gradients = []
    for beta in (0.0, 3.0):
        scores = log_ref.clone().requires_grad_()
        preferences.objective(scores.log_softmax(dim=1), log_ref, rewards, beta).backward()
        gradients.append(scores.grad)
    assert torch.allclose(*gradients)


@pytest.mark.parametrize("values", [2, 3])
def test_equal_groups_by_enumeration(values):
    log_p, rewards = table(3, 4, 5)
    rewards = (values * torch.sigmoid(rewards)).floor()
    p = log_p.exp()
    found = preferences.equal_groups(p, rewards, 3)
    for row in range(3):
        expected = sum(
            p[row, list(drawn)].prod()
            for drawn in np.ndindex(4, 4, 4)
            if len({rewards[row, a].item() for a in drawn}) == 1
        )
        assert found[row] == pytest.approx(expected.item())
    if values == 2:
        one = (p * rewards).sum(dim=1)
        assert torch.allclose(found, one**3 + (1 - one) ** 3)


# --- losses and estimates ------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(some.integers(2, 4), some.integers(0, 1000))
def test_baselines_by_enumeration_of_all_groups(group, seed):
    """The mean over all groups, weighted by their probabilities, against the exact gradient."""
    log_p, rewards = table(1, 3, seed)
    scores = log_p.clone().requires_grad_()
    log_p = scores.log_softmax(dim=1)
    exact = torch.autograd.grad((log_p.exp() * rewards).sum(), scores, retain_graph=True)[0]
    drawn = torch.tensor(list(np.ndindex(*[3] * group)))
    chance = log_p[0, drawn].sum(dim=1).detach().exp()
    for baseline, factor in (("none", 1), ("mean", 1 - 1 / group), ("leave one out", 1)):
        advantage = preferences.advantages(rewards[0, drawn], baseline)
        value = (chance * (advantage * log_p[0, drawn]).mean(dim=1)).sum()
        found = torch.autograd.grad(value, scores, retain_graph=True)[0]
        assert torch.allclose(found, factor * exact, atol=1e-10)


def test_scaled_advantages_have_the_deviation_one_and_equal_groups_none():
    rewards = torch.randn(6, 8, generator=generator()).double()
    rewards[2] = 0.5
    found = preferences.advantages(rewards, "mean", scale=True)
    assert found[2].abs().max() == 0
    assert torch.allclose(found.std(dim=1)[[0, 1, 3, 4, 5]], torch.ones(5).double(), atol=1e-3)


def test_the_loss_of_a_group_is_zero_and_its_gradient_is_not():
    log_p = torch.randn(4, 8, generator=generator()).requires_grad_()
    advantage = preferences.advantages(torch.randn(4, 8, generator=generator(1)))
    loss = preferences.clipped_loss(log_p, log_p.detach(), advantage)
    loss.backward()
    assert abs(loss.item()) < 1e-6
    assert torch.allclose(log_p.grad, -advantage / advantage.numel(), atol=1e-6)


def test_the_clip_ends_a_gain_and_never_a_loss():
    old = torch.zeros(4)
    log_p = torch.tensor([0.5, -0.5, 0.5, -0.5], requires_grad=True)
    preferences.clipped_loss(log_p, old, torch.tensor([1.0, 1.0, -1.0, -1.0])).backward()
    assert (log_p.grad != 0).tolist() == [False, True, True, False]


def test_dpo_is_a_classifier_of_pairs():
    log_p, _ = table(3, 4)
    log_ref, _ = table(3, 4, 1)
    wins = torch.zeros(3, 4, 4).double()
    wins[0, 1, 2], wins[2, 3, 0] = 2, 1
    beta, total = 0.3, 0.0
    for row, chosen, rejected, times in ((0, 1, 2, 2), (2, 3, 0, 1)):
        margin = (log_p - log_ref)[row, chosen] - (log_p - log_ref)[row, rejected]
        total += times * math.log1p(math.exp(-beta * margin))
    assert preferences.dpo_loss(log_p, log_ref, wins, beta).item() == pytest.approx(total / 3)


def test_dpo_on_all_preferences_ends_in_the_optimum():
    """With the exact shares of all pairs, the loss is lowest where its gradient is 0: at the closed form."""
    log_ref, rewards = table(4, 5)
    wins = torch.sigmoid(rewards.unsqueeze(2) - rewards.unsqueeze(1)) * (1 - torch.eye(5))
    best = preferences.optimum(log_ref, rewards, 0.4)
    scores = best.clone().requires_grad_()
    preferences.dpo_loss(scores.log_softmax(dim=1), log_ref, wins, 0.4).backward()
    assert scores.grad.abs().max() < 1e-12


@settings(max_examples=30)
@given(some.integers(0, 10**6))
def test_the_three_estimates_of_kl(seed):
    """By summing over all answers: two means are right, two are never negative, and what their gradients are."""
    log_p, _ = table(3, 5, seed)
    log_q, _ = table(3, 5, seed + 1)
    scores = log_p.clone().requires_grad_()
    moving = scores.log_softmax(dim=1)
    k1, k2, k3 = preferences.kl_estimates(moving, log_q)
    p, true = log_p.exp(), preferences.kl(log_p, log_q)
    assert torch.allclose((p * k1).sum(1), true) and torch.allclose((p * k3).sum(1), true)
    assert (k2 >= 0).all() and (k3 >= 0).all()

    def slope(value):
        return torch.autograd.grad(value.sum(), scores, retain_graph=True)[0]

    assert slope(p * k1).abs().max() < 1e-10
    assert torch.allclose(slope(p * k2), slope(preferences.kl(moving, log_q)), atol=1e-10)
    assert torch.allclose(slope(p * k3), slope(preferences.kl(log_q, moving)), atol=1e-10)


def test_slopes_are_the_directional_derivatives():
    policy, rewards = Table(table(4, 3)[0]), table(4, 3)[1].float()
    along = torch.autograd.grad((policy().exp() * rewards).sum(dim=1).mean(), list(policy.parameters()))
    (found,) = estimates.slopes(policy, along, lambda one: [one()])
    p = policy().detach().exp().double()
    g = along[0].double()
    assert torch.allclose(found, g - (p * g).sum(dim=1, keepdim=True), atol=1e-6)
    assert estimates.cosine(along, [3 * part for part in along]) == pytest.approx(1)
    with pytest.raises(ValueError, match="no direction"):
        estimates.slopes(policy, [torch.zeros(4, 3)], lambda one: [one()])


def test_the_mean_of_many_estimates_is_the_exact_gradient():
    log_p, rewards = table(3, 4)
    policy, rewards = Table(log_p), rewards.float()
    exact = torch.autograd.grad((policy().exp() * rewards).sum(dim=1).mean(), list(policy.parameters()))
    drawn = preferences.draw_answers(policy(), 4 * 20_000, generator(3)).view(3, 20_000, 4)
    earned = rewards.gather(1, drawn.flatten(1)).view_as(drawn)
    found = estimates.mean_gradient(policy, preferences.advantages(earned), drawn)
    assert estimates.cosine(found, exact) > 0.999
    assert estimates.squared_length(found) == pytest.approx(estimates.squared_length(exact), rel=0.05)


# --- the loops -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "least"), [("exact", 0.995), ("reinforce", 0.95), ("grpo", 0.95), ("ppo", 0.95)])
def test_every_method_comes_close_to_the_optimum_of_a_table(method, least):
    log_ref, rewards = (x.float() for x in table(12, 4))
    policy = Table(log_ref)
    learned = preferences.learn(policy, rewards, method, beta=0.5, steps=400, rate=0.05, group=16, seed=1)
    first, last, best = (
        preferences.evaluate(log_p, log_ref, rewards, 0.5).objective
        for log_p in (log_ref, learned(), preferences.optimum(log_ref, rewards, 0.5))
    )
    assert least < (last - first) / (best - first) <= 1 + 1e-9
    assert torch.equal(policy.scores, log_ref), "the reference is not changed"


def test_dpo_comes_close_too_and_more_pairs_help():
    log_ref, rewards = (x.float() for x in table(12, 4))
    best = preferences.optimum(log_ref, rewards, 0.5)
    far = []
    for pairs in (20, 4000):
        wins = preferences.draw_pairs(log_ref, rewards, pairs, generator(2))
        assert wins.sum() == 12 * pairs and wins.diagonal(dim1=1, dim2=2).sum() == 0
        learned = preferences.learn_from_pairs(Table(log_ref), wins, beta=0.5, steps=400, rate=0.05)
        far.append(preferences.kl(learned().detach().double(), best).mean().item())
    assert far[1] < 0.02 < 0.1 < far[0]


def test_pairs_are_judged_with_the_stated_noise():
    log_p = torch.full((1, 2), 0.5).log()
    wins = preferences.draw_pairs(log_p, torch.tensor([[1.0, 0.0]]), 20_000, generator())
    assert wins[0, 0, 1].item() / 20_000 == pytest.approx(1 / (1 + math.exp(-1)), abs=0.014)


def test_the_same_seed_learns_the_same():
    log_ref, rewards = (x.float() for x in table(4, 3))
    runs = [
        preferences.learn(Table(log_ref), rewards, "ppo", beta=0.1, steps=20, rate=0.05, seed=seed)()
        for seed in (0, 0, 1)
    ]
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


def test_a_reward_model_recovers_a_linear_truth():
    states = torch.randn(4000, 3, generator=generator())
    truth = states @ torch.tensor([[1.0, 0, -1], [0, 1, 0], [0, -1, 1]]) + torch.tensor([0.5, 0, -0.5])
    wins = preferences.draw_pairs(torch.zeros(4000, 3).log_softmax(1), truth, 10, generator(1))
    weights, biases = preferences.reward_model(states, wins, ridge=1e-6)
    found, centred = states @ weights + biases, truth - truth.mean(dim=1, keepdim=True)
    assert (found - found.mean(dim=1, keepdim=True) - centred).abs().max() < 0.3


LOG, REWARD = (x.float() for x in table(3, 4))
SETTINGS = {"beta": 0.1, "steps": 2, "rate": 0.01}


class Broken(Table):
    def forward(self):
        return self.scores * float("nan")


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda: preferences.learn(Broken(LOG), REWARD, "exact", **SETTINGS), "policy is NaN"),
        (lambda: preferences.learn(Table(LOG), REWARD / 0, "exact", **SETTINGS), "reward is not finite"),
        (lambda: preferences.learn(Table(LOG), REWARD[:2], "exact", **SETTINGS), "both must be"),
        (lambda: preferences.learn(Table(LOG), REWARD, "trpo", **SETTINGS), "method is 'trpo'"),
        (lambda: preferences.learn(Table(LOG), REWARD, "grpo", group=1, **SETTINGS), "group is 0"),
        (lambda: preferences.learn(Table(LOG), REWARD, "exact", **SETTINGS | {"beta": -1}), "beta"),
        (lambda: preferences.learn(Table(LOG), REWARD, "exact", **SETTINGS | {"rate": math.nan}), "rate"),
        (lambda: preferences.learn_from_pairs(Table(LOG), torch.zeros(3, 4, 4), **SETTINGS), "with a pair in it"),
        (lambda: preferences.learn_from_pairs(Table(LOG), torch.ones(3, 4), **SETTINGS), "wins must be"),
        (lambda: preferences.optimum(LOG, REWARD, 0), "beta is 0"),
        (lambda: preferences.optimum(LOG, REWARD[0], 1), "both must be"),
        (lambda: preferences.evaluate(LOG, LOG, REWARD * math.inf, 1), "reward is not finite"),
        (lambda: preferences.advantages(REWARD[:, :1]), "two answers or more"),
        (lambda: preferences.advantages(REWARD * math.nan), "reward is not finite"),
        (lambda: preferences.advantages(REWARD, "median"), "baseline is 'median'"),
        (lambda: preferences.reward_model(LOG, torch.ones(3, 4, 4), ridge=0), "ridge"),
        (lambda: preferences.draw_pairs(LOG, REWARD, 0, generator()), "pairs is 0"),
    ],
)
def test_what_cannot_be_learned_from_is_said(attempt, said):
    with pytest.raises(ValueError) as error:
        attempt()
    assert said in str(error.value)


def test_a_policy_that_is_copied_keeps_its_reference():
    policy = Table(LOG)
    before = copy.deepcopy(policy.state_dict())
    preferences.learn_from_pairs(policy, torch.ones(3, 4, 4), beta=1.0, steps=3, rate=1.0)
    assert torch.equal(policy.state_dict()["scores"], before["scores"])


@pytest.mark.parametrize(("method", "draws"), [("exact", 0), ("reinforce", 8), ("grpo", 8), ("ppo", 3)])
def test_ppo_uses_its_answers_several_times_and_the_others_once(monkeypatch, method, draws):
    drawn, draw = [], preferences.draw_answers
    monkeypatch.setattr(preferences, "draw_answers", lambda *given: drawn.append(draw(*given)) or drawn[-1])
    preferences.learn(Table(LOG), REWARD, method, beta=0.1, steps=8, rate=0.01, group=5, epochs=3)
    assert [tuple(answers.shape) for answers in drawn] == [(3, 5)] * draws
