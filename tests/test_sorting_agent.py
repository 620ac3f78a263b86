"""Lesson 12's library: planning over counts, constraints, learning on beliefs, the agent, its folder and its log."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.agents import decisions, part_sorter
from babyagi_lib.methods import sensing
from babyagi_lib.models.saving import ModelError
from babyagi_lib.models.senses import SenseEncoder
from babyagi_lib.models.stacked import StackedMLP
from babyagi_lib.rl import belief_planning as planning
from babyagi_lib.rl import belief_policies as policies
from babyagi_lib.rl import belief_q, constrained
from babyagi_lib.rl.belief_planning import Problem, Sense
from babyagi_lib.worlds import part_senses, part_sort, part_symbols
from babyagi_lib.worlds.part_sort import PAYOFF, SHIPPED_CRACKED

FREE = np.zeros(3)
few = settings(max_examples=25)
seeds = st.integers(0, 10_000)


def random_problem(seed, horizon=2, hidden=3):
    """Two senses, one of which may be asked once, and three final actions."""
    draw = np.random.default_rng(seed)
    senses = tuple(
        Sense(f"sense {n}", draw.dirichlet(np.full(n + 2, 0.6), size=hidden), draw.uniform(0, 0.1), repeatable=n == 0)
        for n in range(2)
    )
    return Problem(draw.dirichlet(np.ones(hidden)), senses, draw.normal(size=(hidden, 3)), horizon)


def over_histories(problem, belief, left, free=None):
    """The best value by recursion over all histories: nothing in common with the code that is tested."""
    free = set(range(len(problem.senses))) if free is None else free
    best = max(belief @ problem.payoff)
    for number in free if left else ():
        sense = problem.senses[number]
        rest = free if sense.repeatable else free - {number}
        value = -sense.cost
        for likelihood in sense.table.T:
            chance = belief @ likelihood
            if chance > 0:
                value += chance * over_histories(problem, belief * likelihood / chance, left - 1, rest)
        best = max(best, value)
    return best


# --- the tables of the senses ----------------------------------------------------------------------------------


def test_the_designed_tables_are_those_of_the_lesson():
    tables = part_symbols.designed()
    assert {sense: table.shape for sense, table in tables.items()} == {"look": (12, 6), "read": (12, 7), "tap": (12, 4)}
    for sense, table in tables.items():
        assert np.allclose(table.sum(axis=1), 1) and len(part_symbols.SYMBOLS[sense]) == table.shape[1]
    kind = part_symbols.PARTS.index("shaft, brass, cracked")
    assert tables["look"][kind, part_symbols.SYMBOLS["look"].index("looks like brass shaft")] == pytest.approx(
        0.85 * 0.6
    )
    assert tables["read"][kind, part_symbols.SYMBOLS["read"].index("note says steel gear")] == pytest.approx(
        0.8 * 0.25 * 0.1
    )
    assert tables["tap"][kind, part_symbols.SYMBOLS["tap"].index("sounds whole, brass")] == pytest.approx(0.1 * 0.65)


def test_the_accuracy_of_all_senses_together_is_that_of_an_enumeration():
    tables = part_symbols.designed()
    right = sum(
        max(
            part_symbols.PRIOR[k] * tables["look"][k, a] * tables["read"][k, b] * tables["tap"][k, c] for k in range(12)
        )
        for a in range(6)
        for b in range(7)
        for c in range(4)
    )
    assert part_symbols.bayes_accuracy(part_symbols.joined(tables.values())) == pytest.approx(right, abs=1e-12)
    assert part_symbols.bayes_accuracy(part_symbols.joined([])) == pytest.approx(0.8 / 6)
    assert part_symbols.bayes_accuracy(part_symbols.perfected("look"), part_symbols.SHAPE) == pytest.approx(1)


def test_a_posterior_is_bayes_rule_and_the_prior_where_a_symbol_never_comes():
    table = part_symbols.perfected("read")
    belief, chance = part_symbols.posterior(table)
    assert chance[-1] == 0 and np.allclose(belief[-1], part_symbols.PRIOR)
    assert np.allclose(belief.sum(axis=1), 1) and np.allclose(chance @ belief, part_symbols.PRIOR)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: part_symbols.sense_table(shape=1.2), "shape is 1.2"),
        (lambda: part_symbols.perfected("smell"), "there is no sense 'smell'"),
        (lambda: part_symbols.garbled(part_symbols.designed()["tap"], np.eye(3)), "expected \\(4, symbols\\)"),
        (lambda: part_symbols.checked(np.ones((12, 2))), "probabilities that sum to 1"),
        (lambda: part_sort.part_sort(2, {"smell": np.ones((12, 1))}), "there is no sense 'smell'"),
        (lambda: part_sort.part_sort(2, costs={"look": -1}), "the cost of look is -1"),
        (lambda: part_sort.part_sort(-1), "horizon is -1"),
        (lambda: replace(random_problem(0), payoff=np.full((3, 3), np.nan)), "every payoff must be a finite number"),
        (lambda: replace(random_problem(0), prior=np.ones(3)), "sum to 1"),
        (lambda: part_sort.part_sort(60).states, "17 symbols are too many"),
    ],
)
def test_what_is_no_problem_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


# --- planning -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("horizon", "states", "value"), [(1, 18, -0.058), (2, 143, 0.0986), (4, 3003, 0.390189), (6, 29029, 0.487682)]
)
def test_the_optimum_of_the_lesson(horizon, states, value):
    problem = part_sort.part_sort(horizon)
    best = planning.plan(problem)
    assert len(problem.states) == states and best.value == pytest.approx(value, abs=1e-6)
    assert planning.follow(problem, best.policy).value == pytest.approx(best.value, abs=1e-12)


@few
@given(seeds, st.integers(0, 3))
def test_backward_induction_is_a_recursion_over_all_histories(seed, horizon):
    problem = random_problem(seed, horizon)
    assert planning.plan(problem).value == pytest.approx(over_histories(problem, problem.prior, horizon), abs=1e-12)


@few
@given(seeds, st.floats(0, 0.2), st.integers(0, 1))
def test_the_optimum_does_not_rise_with_a_cost(seed, more, which):
    problem = random_problem(seed)
    senses = list(problem.senses)
    senses[which] = replace(senses[which], cost=senses[which].cost + more)
    assert planning.plan(replace(problem, senses=tuple(senses))).value <= planning.plan(problem).value + 1e-12


@few
@given(seeds, st.floats(0, 1))
def test_a_garbled_sense_is_never_worth_more(seed, share):
    """Blackwell's theorem, for a random channel, which may also merge symbols."""
    draw = np.random.default_rng(seed)
    table = part_symbols.designed()["tap"]
    channel = (1 - share) * np.eye(4) + share * draw.dirichlet(np.ones(4), size=4)
    worse = part_symbols.designed() | {"tap": part_symbols.garbled(table, channel)}
    assert planning.plan(part_sort.part_sort(2, worse)).value <= planning.plan(part_sort.part_sort(2)).value + 1e-12
    assert np.allclose(part_symbols.garbled(table, 1.0), 0.25)


@few
@given(seeds)
def test_another_sense_never_hurts(seed):
    problem = random_problem(seed)
    one = replace(problem, senses=problem.senses[:1])
    assert planning.plan(one).value <= planning.plan(problem).value + 1e-12


@few
@given(seeds)
def test_no_policy_is_better_than_the_best(seed):
    problem = random_problem(seed)
    best = planning.plan(problem).value
    for policy in (policies.at_random(problem), policies.best_finals(problem), policies.one_step_ahead(problem)):
        assert planning.follow(problem, policy).value <= best + 1e-12
    assert policies.best_sequence(problem)[0] <= best + 1e-12


def test_the_ladder_of_the_lesson():
    problem = part_sort.part_sort(6)
    assert planning.follow(problem, policies.at_random(problem)).value == pytest.approx(-0.6897, abs=1e-4)
    value, asked = policies.best_sequence(problem)
    assert value == pytest.approx(0.3478, abs=1e-4) and asked == (0, 0, 0, 1, 2, 2)
    assert planning.follow(problem, policies.one_step_ahead(problem)).value == pytest.approx(0.4136, abs=1e-4)


def test_played_episodes_earn_the_exact_value():
    problem = part_sort.part_sort(4)
    for policy in (planning.plan(problem).policy, policies.at_random(problem)):
        total, hidden, final, asked = policies.play(problem, policy, 40_000, np.random.default_rng(3))
        exact = planning.follow(problem, policy).value
        assert abs(total.mean() - exact) < 4 * total.std() / 200
        assert asked.max() <= 4 and final.min() >= 0
        cracked = part_symbols.IS_CRACKED[hidden] == 1
        risk = planning.follow(problem, policy, SHIPPED_CRACKED, FREE).value
        assert abs((cracked & (final < 6)).mean() - risk) < 0.004


@few
@given(seeds)
def test_occupancies_are_those_of_one_episode(seed):
    """Every episode begins, ends once, and earns the value of its policy."""
    problem = random_problem(seed, 3)
    policy = policies.at_random(problem)
    x = planning.visits(problem, policy)
    senses = len(problem.senses)
    assert x[0].sum() == pytest.approx(1) and x[:, senses:].sum() == pytest.approx(1)
    earned = (x[:, senses:] * (problem.states.beliefs @ problem.payoff)).sum() - x[:, :senses].sum(
        axis=0
    ) @ problem.costs
    assert earned == pytest.approx(planning.follow(problem, policy).value, abs=1e-12)


@pytest.mark.parametrize("horizon", [0, 1, 3])
def test_the_value_at_a_belief_is_that_of_the_problem_with_this_prior(horizon):
    problem = part_sort.part_sort(horizon)
    beliefs = np.random.default_rng(1).dirichlet(np.ones(12), size=5)
    values = planning.at_beliefs(problem, beliefs)
    for belief, row in zip(beliefs, values, strict=True):
        best = planning.plan(replace(problem, prior=belief))
        assert np.allclose(row, best.Q[0], atol=1e-12) and row.max() == pytest.approx(best.value)


def test_impossible_counts_do_no_harm():
    perfect = {sense: part_symbols.perfected(sense) for sense in part_symbols.SENSES}
    problem = part_sort.part_sort(3, perfect)
    best = planning.plan(problem)
    assert np.isfinite(best.V).all() and best.value == pytest.approx(0.934)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (lambda p: np.full(len(p.states), 99), "not one of 0..10"),
        (lambda p: np.zeros(3, dtype=int), "has the shape"),
        (lambda p: np.zeros(len(p.states), dtype=int), "action 0 is not allowed in state"),
        (lambda p: np.full((len(p.states), 11), np.nan), "has the shape"),
        (lambda p: np.full((len(p.states), 11), 0.2), "sum to 1"),
    ],
)
def test_what_is_no_policy_is_refused(policy, said):
    problem = part_sort.part_sort(2)
    with pytest.raises(ValueError, match=said):
        planning.follow(problem, policy(problem))


def test_gymnasium_accepts_the_environment_and_it_pays_what_the_table_says():
    env = part_sort.PartSortEnv(3)
    check_env(env, skip_render_check=True)
    problem, best = env.problem, planning.plan(env.problem)
    total = []
    for episode in range(3000):
        env.reset(seed=episode)
        earned, over = 0.0, False
        while not over:
            _, reward, over, _, info = env.step(int(best.policy[env.state]))
            earned += reward
        total.append(earned)
        assert info["kind"] == env.kind
    assert abs(np.mean(total) - best.value) < 4 * np.std(total) / len(total) ** 0.5
    env.reset(seed=0)
    for _ in range(problem.horizon):
        env.step(part_sort.LOOK)
    assert env.step(part_sort.LOOK)[1:3] == (-0.2, True)  # a sense too many calls a human


# --- the constraint ----------------------------------------------------------------------------------------------


def test_the_linear_programme_the_bisection_and_a_coin_agree():
    problem = part_sort.part_sort(4)
    found = constrained.linear_programme(problem, SHIPPED_CRACKED, 0.01)
    assert found.value == pytest.approx(0.357973, abs=1e-6) and found.price == pytest.approx(3.89585, abs=1e-4)
    price, value = constrained.price_of(problem, SHIPPED_CRACKED, 0.01)
    assert price == pytest.approx(found.price, abs=1e-6) and value == pytest.approx(found.value, abs=1e-8)
    assert planning.follow(problem, found.policy).value == pytest.approx(found.value, abs=1e-8)
    assert planning.follow(problem, found.policy, SHIPPED_CRACKED, FREE).value == pytest.approx(0.01, abs=1e-8)
    assert len(found.mixed()) == 1
    low, high = (constrained.at_price(problem, SHIPPED_CRACKED, found.price + by) for by in (1e-6, -1e-6))
    share = (0.01 - low[2]) / (high[2] - low[2])
    assert share * high[1] + (1 - share) * low[1] == pytest.approx(found.value, abs=1e-6)


def test_a_limit_that_does_not_bind_changes_nothing_and_an_impossible_one_is_told():
    problem = part_sort.part_sort(2)
    free = constrained.linear_programme(problem, SHIPPED_CRACKED, 0.5)
    assert free.price == 0 and free.value == pytest.approx(planning.plan(problem).value)
    assert constrained.price_of(problem, SHIPPED_CRACKED, 0.5)[0] == 0
    with pytest.raises(ValueError, match=r"no policy has an expected risk of -0.1"):
        constrained.linear_programme(problem, SHIPPED_CRACKED, -0.1)


def test_values_rise_with_the_limit_and_the_price_falls():
    problem = part_sort.part_sort(3)
    found = [constrained.linear_programme(problem, SHIPPED_CRACKED, limit) for limit in (0.002, 0.006, 0.012)]
    assert [f.value for f in found] == sorted(f.value for f in found)
    assert [f.price for f in found] == sorted((f.price for f in found), reverse=True)


def test_learning_on_counts_reaches_the_optimum_of_a_small_problem():
    problem = part_sort.part_sort(1)
    run = constrained.learn(problem, steps=100_000, runs=2, worlds=100, revealed=True, seed=1)
    for policy in run.policies[-1]:
        assert planning.follow(problem, policy).value == pytest.approx(planning.plan(problem).value, abs=0.01)
    assert run.moments[-1] == 100_000 and run.policies.shape == (10, 2, 18)
    again = constrained.learn(problem, steps=100_000, runs=2, worlds=100, revealed=True, seed=1)
    assert np.array_equal(run.policies, again.policies)


def test_the_price_is_learned():
    problem = part_sort.part_sort(2)
    settings = {"steps": 300_000, "runs": 2, "worlds": 500, "revealed": True, "seed": 0}
    limit = 0.5 * planning.follow(problem, planning.plan(problem).policy, SHIPPED_CRACKED, FREE).value
    run = constrained.learn(problem, risk=SHIPPED_CRACKED, limit=limit, **settings)
    assert (run.prices[-1] > 0).all()
    risks = [planning.follow(problem, policy, SHIPPED_CRACKED, FREE).value for policy in run.policies[-1]]
    assert max(risks) < 1.7 * limit
    with pytest.raises(ValueError, match="tables is 3"):
        constrained.learn(problem, steps=10, tables=3)


# --- learning on beliefs -------------------------------------------------------------------------------------------


def symbol_answers(problem, things=2000, seed=0):
    found = belief_q.draw_symbols(problem, things, np.random.default_rng(seed))
    return belief_q.from_symbols(*found, [sense.table for sense in problem.senses])


def test_deep_q_on_beliefs_comes_close_to_the_optimum():
    problem = part_sort.part_sort(2)
    network = belief_q.learn(problem, symbol_answers(problem), updates=400, runs=2, seed=0)
    best = planning.plan(problem).value
    for policy in belief_q.on_counts(problem, network):
        assert best - 0.05 < planning.follow(problem, policy).value <= best + 1e-9


def test_the_same_seed_learns_the_same():
    problem = part_sort.part_sort(2)
    one, two = (belief_q.learn(problem, symbol_answers(problem), updates=20, runs=2, seed=4) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_playing_asks_what_is_allowed_and_counts_it():
    problem = part_sort.part_sort(3)
    answers = symbol_answers(problem, 500)
    network = StackedMLP([1, 2], [16, 8, 3])
    played = belief_q.play(problem, answers, network)
    assert played.asked.sum(axis=-1).max() <= 3 and played.asked[..., part_sort.READ].max() <= 1
    expected = problem.payoff[answers.hidden, played.final] - played.asked @ problem.costs
    assert np.allclose(played.total, expected, atol=1e-6)
    with torch.no_grad():
        for weights in (*network.weights, *network.biases):
            weights.zero_()
        network.biases[-1] += 10  # asking looks wonderful
    assert (belief_q.play(problem, answers, network).asked.sum(axis=-1) == 3).all()


def test_a_belief_is_bayes_rule():
    problem = part_sort.part_sort(2)
    answers = symbol_answers(problem, 50)
    network = StackedMLP([0], [16, 3])
    with torch.no_grad():
        network.weights[0].zero_()
        network.biases[0].copy_(torch.tensor([[[9.0, 0.0, 0.0]]]))  # looks twice
    played = belief_q.play(problem, answers, network)
    joint = problem.prior * np.exp(answers.likelihood[0]).prod(axis=1)
    assert np.allclose(played.belief[0], joint / joint.sum(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: belief_q.Answers(a.hidden, a.likelihood[:2]), "do not fit a problem of 3 senses"),
        (
            lambda a: belief_q.Answers(a.hidden, tuple(part[:, :1] for part in a.likelihood)),
            "are too few for a horizon",
        ),
        (lambda a: belief_q.Answers(a.hidden[:5], a.likelihood), "expected \\(5, times, hidden\\)"),
        (lambda a: belief_q.Answers(a.hidden, tuple(part * np.nan for part in a.likelihood)), "not finite"),
    ],
)
def test_answers_that_do_not_fit_are_refused(change, said):
    problem = part_sort.part_sort(2)
    with pytest.raises(ValueError, match=said):
        belief_q.play(problem, change(symbol_answers(problem, 20)), StackedMLP([0], [16, 3]))


# --- the agent -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def agent():
    """Encoders that were not trained, which is enough for all that is not about quality."""
    encoders = {sense: SenseEncoder(name, 1) for sense, name in part_sorter.ENCODERS.items()}
    for number, encoder in enumerate(encoders.values()):
        encoder.eval()
        encoder.temperature.fill_(1.5 + number)

    def read(texts):
        letters = [[t.count(chr(97 + i % 26)) / 5 for i in range(383)] for t in texts]
        return np.array([[len(t) / 40, *row] for t, row in zip(texts, letters, strict=True)], np.float32)

    return part_sorter.SortingAgent(part_sorter.Senses(encoders, read), StackedMLP([3], [16, 8, 3]), 4)


def a_line(parts=12, seed=0, keep=()):
    return part_sorter.Line(part_senses.draw_parts(parts, np.random.default_rng(seed)), seed, keep)


def test_a_likelihood_is_the_posterior_without_the_prior(agent):
    line = a_line(30)
    sounds = line.answer("tap")
    logs = agent.senses.likelihood("tap", sounds)
    said = sensing.beliefs(agent.senses.encoders["tap"], part_senses.spectrogram(sounds))
    joint = np.exp(logs) * part_symbols.PRIOR
    joint /= joint.sum(axis=1, keepdims=True)
    cracked = joint[:, part_symbols.IS_CRACKED == 1].sum(axis=1)
    assert np.allclose(cracked, np.exp(said["cracked"][:, 1]), atol=1e-6)
    assert np.allclose(joint[:, part_symbols.MATERIAL == 1].sum(axis=1), np.exp(said["material"][:, 1]), atol=1e-6)


def test_a_missing_note_says_nothing(agent):
    found = agent.senses.likelihood("read", np.array(["steel gear", "", "one shaft"]))
    assert (found[1] == 0).all() and np.ptp(found[0]) > 0
    assert (agent.senses.likelihood("read", np.array(["", ""])) == 0).all()
    with pytest.raises(ValueError, match="there is no sense 'smell'"):
        agent.senses.likelihood("smell", np.zeros(3))


def test_what_stays_with_a_part_stays():
    fresh, stays = a_line(200), a_line(200, keep=("zoom", "lamp"))
    one, two = (np.array([line.answer("look").max(axis=(1, 2)) for _ in range(2)]) for line in (fresh, stays))
    assert np.corrcoef(two)[0, 1] > np.corrcoef(one)[0, 1] + 0.2
    assert (fresh.answer("read") == fresh.answer("read")).all()


def test_symbols_and_their_tables():
    hidden = np.arange(12)
    sure = np.log(np.eye(12)[hidden] + 1e-3)[:, None]
    read = sure.copy()
    read[0] = 0
    look, note, tap = part_sorter.as_symbols(belief_q.Answers(hidden, (sure, read, sure)))
    assert note[0, 0] == 6 and note[2, 0] == 1
    assert look[hidden % 2 == 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    tables = part_sorter.count_tables(hidden, (look, note, tap), (6, 7, 4), extra=0.0)
    assert tables["read"][0].tolist() == [0, 0, 0, 0, 0, 0, 1]


def test_repeats_count_less():
    answers = symbol_answers(part_sort.part_sort(3), 10)
    weaker = part_sorter.weaker_repeats(answers, 0.25)
    assert np.array_equal(weaker.likelihood[0][:, 0], answers.likelihood[0][:, 0])
    assert np.allclose(weaker.likelihood[0][:, 1:], 0.25 * answers.likelihood[0][:, 1:])


def test_the_saved_agent_does_the_same_in_a_fresh_process(agent, tmp_path):
    folder = agent.save(tmp_path / "agent")
    assert {file.name for file in folder.iterdir()} == {"agent.json", "model.safetensors"}
    loaded = part_sorter.SortingAgent.load(folder)
    loaded.senses.read = agent.senses.read
    made, again = ([d for d, _ in one.sort(a_line())] for one in (agent, loaded))
    assert made == again and len({d.part for d in made}) == 12
    program = (
        "import sys, numpy as np\nfrom babyagi_lib.agents import part_sorter\n"
        "agent = part_sorter.SortingAgent.load(sys.argv[1])\n"
        "print([float(t) for e in agent.senses.encoders.values() for t in e.temperature], agent.horizon)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1.5, 1.5, 2.5, 2.5, 3.5, 3.5] 4"


def test_a_damaged_agent_is_refused_and_an_interrupted_save_leaves_the_old_one(agent, tmp_path, monkeypatch):
    folder = agent.save(tmp_path / "agent")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_text", full)
        with pytest.raises(ModelError, match="cannot be written"):
            agent.save(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    (folder / "model.safetensors").write_bytes(before["model.safetensors"][:1000])
    with pytest.raises(ModelError, match="weights cannot be loaded"):
        part_sorter.SortingAgent.load(folder)
    (folder / "agent.json").write_text(json.dumps({"horizon": 4}), encoding="utf-8")
    with pytest.raises(ModelError, match="holds no sorting agent"):
        part_sorter.SortingAgent.load(folder)
    with pytest.raises(ModelError, match="holds no sorting agent"):
        part_sorter.SortingAgent.load(tmp_path / "nowhere")


def test_one_run_is_one_of_the_networks():
    together = StackedMLP([5, 6, 7], [16, 4, 3])
    x = torch.rand(3, 10, 16, generator=torch.Generator().manual_seed(0))
    for run in range(3):
        assert torch.allclose(part_sorter.one_run(together, run)(x[[run]])[0], together(x)[run], atol=1e-6)


def test_decisions_and_their_propensities(agent):
    greedy = [d for d, _ in agent.sort(a_line(20))]
    assert {d.propensity for d in greedy} == {1.0}
    for decision, (other, found) in zip(greedy, agent.sort(a_line(20)), strict=True):
        assert decision == other and (found is None) == (decision.reward is None)
        assert sum(decision.belief) == pytest.approx(1)
    explored = [d for d, _ in agent.sort(a_line(200, 1), explore=0.4, seed=1)]
    rare = [d.propensity for d in explored if d.propensity < 0.5]
    assert 0.15 < len(rare) / len(explored) < 0.45 and min(rare) == pytest.approx(0.1)
    again = [d for d, _ in agent.sort(a_line(200, 1), explore=0.4, seed=1)]
    assert explored == again


def test_the_values_of_the_agent_say_what_it_does(agent):
    asked = np.zeros(3, dtype=int)
    for decision, _ in agent.sort(a_line(20)):
        if decision.step == 0:
            asked = np.zeros(3, dtype=int)
        values = agent.values(np.array(decision.belief), asked)
        assert part_sort.ACTIONS[values.argmax()] == decision.action
        if decision.reward is not None:
            asked[part_symbols.SENSES.index(decision.action)] += 1


def test_a_log_is_read_as_it_was_written(agent, tmp_path):
    made = [d for d, _ in agent.sort(a_line(5), explore=0.2)]
    path = decisions.write_log(tmp_path / "log.jsonl", made)
    assert decisions.read_log(path) == made
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(made)
    with pytest.raises(ValueError, match="part 0: the propensity is 0"):
        decisions.write_log(path, [replace(made[0], propensity=0)])
    with pytest.raises(ValueError, match="the belief sums to"):
        decisions.write_log(path, [made[0], replace(made[0], belief=(0.5,))])
    assert decisions.read_log(path) == made, "a log that cannot be written whole leaves the old one"
    path.write_text(path.read_text(encoding="utf-8") + "{}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"line {len(made) + 1}: no decision"):
        decisions.read_log(path)
    path.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1: no JSON"):
        decisions.read_log(path)


def test_what_pays_is_in_the_table():
    assert PAYOFF.shape == (12, 8) and SHIPPED_CRACKED.sum() == 6 * 6
    joint = np.zeros((12, 8))
    joint[1, 0], joint[0, 0], joint[3, 6] = 0.1, 0.8, 0.1
    found = part_sort.shares(joint)
    assert found["decided rightly"] == pytest.approx(0.9) and found["cracked and shipped"] == pytest.approx(0.1)
    assert found["of cracked parts, shipped"] == pytest.approx(0.5)


def test_trained_senses_are_better_than_chance():
    """Few parts, seconds: pictures, notes and sounds together."""
    senses = part_sorter.train_senses(400, seed=0)
    answers = part_sorter.ask_everything(senses, a_line(200, 5), 1)
    total = np.log(part_symbols.PRIOR) + sum(part[:, 0] for part in answers.likelihood)
    cracked = part_symbols.IS_CRACKED[answers.hidden] == 1
    material = part_symbols.MATERIAL[total.argmax(axis=1)] == part_symbols.MATERIAL[answers.hidden]
    assert material.mean() > 0.6
    odds = answers.likelihood[2][:, 0, 1] - answers.likelihood[2][:, 0, 0]
    assert odds[cracked].mean() > odds[~cracked].mean() + 0.15
