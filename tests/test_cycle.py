"""The cycle of lesson 13: versions in folders, evidence from a mixed log, rounds that can be killed, a reader that forgets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from babyagi_lib.agents import cycle
from babyagi_lib.agents.versions import NOW, Version, VersionError, Versions, data_hash
from babyagi_lib.methods import refitting
from babyagi_lib.rl.belief_planning import follow, plan
from babyagi_lib.rl.belief_policies import at_random, best_finals, fixed_sequence
from babyagi_lib.worlds import changing_line, part_senses
from babyagi_lib.worlds.part_sort import part_sort
from babyagi_lib.worlds.part_symbols import KINDS, MATERIAL, PRIOR, designed

ARRAYS = {"policy": np.arange(5, dtype=np.int8), "prior": np.array([0.25, 0.75])}


def version(name, parent=None, **other):
    return Version(name, parent, data_hash(ARRAYS), 0, {"parts": 3.0} | other)


# --- versions ---------------------------------------------------------------------------------------------------


def test_a_version_comes_back_as_it_was(tmp_path):
    store = Versions(tmp_path)
    store.save(version("version-0001"), ARRAYS)
    about, arrays = store.load("version-0001")
    assert about == version("version-0001") and arrays.keys() == ARRAYS.keys()
    assert all(arrays[name].dtype == ARRAYS[name].dtype and (arrays[name] == ARRAYS[name]).all() for name in ARRAYS)
    assert [found.name for found in store.all()] == ["version-0001"]


def test_a_version_is_never_changed(tmp_path):
    store = Versions(tmp_path)
    store.save(version("a"), ARRAYS)
    before = (tmp_path / "a" / "arrays.npz").read_bytes()
    store.save(version("a"), ARRAYS)  # the same again, as after a kill
    assert (tmp_path / "a" / "arrays.npz").read_bytes() == before
    with pytest.raises(VersionError, match="never changed"):
        store.save(version("a"), ARRAYS | {"prior": np.array([0.5, 0.5])})
    with pytest.raises(VersionError, match="never changed"):
        store.save(version("a", parent="b"), ARRAYS)


def test_history_lineage_and_rollback(tmp_path):
    store = Versions(tmp_path)
    assert store.now() is None
    for name, parent in (("a", None), ("b", "a"), ("c", "b")):
        store.save(version(name, parent), ARRAYS)
        store.promote(name, f"why {name}", {"round": ord(name) - 96})
    assert store.lineage("c") == ["c", "b", "a"]
    now = store.roll_back("worse")
    assert now == store.now() and now.live == "b" and now.state == {"round": 3}
    assert [(move["to"], move["why"], move["round"]) for move in now.history] == [
        ("a", "why a", 1),
        ("b", "why b", 2),
        ("c", "why c", 3),
        ("b", "worse", 3),
    ]
    assert store.keep({"round": 9, "x": 0.1}).state == {"round": 9, "x": 0.1} and store.now().live == "b"
    store.roll_back("again")
    with pytest.raises(VersionError, match="no earlier version"):
        store.roll_back("too far")


def test_what_is_missing_or_damaged_is_said(tmp_path):
    store = Versions(tmp_path)
    with pytest.raises(VersionError, match="no version x"):
        store.promote("x", "")
    with pytest.raises(VersionError, match="nothing is live"):
        store.keep({})
    with pytest.raises(VersionError, match="no name for a version"):
        store.save(version("../x"), ARRAYS)
    store.save(version("a"), ARRAYS)
    (tmp_path / "a" / "arrays.npz").write_bytes(b"PK not really")
    with pytest.raises(VersionError, match="a is damaged"):
        store.load("a")
    (tmp_path / NOW).write_text("{", encoding="utf-8")
    with pytest.raises(VersionError, match=r"now\.json is damaged"):
        store.now()


def test_a_hash_sees_names_types_shapes_and_numbers():
    others = [
        {"policy": ARRAYS["policy"]},
        {"Policy": ARRAYS["policy"], "prior": ARRAYS["prior"]},
        ARRAYS | {"policy": ARRAYS["policy"].astype(np.int16)},
        ARRAYS | {"prior": ARRAYS["prior"][None]},
        ARRAYS | {"prior": np.nextafter(ARRAYS["prior"], 1)},
    ]
    assert len({data_hash(arrays) for arrays in [ARRAYS, *others]}) == 6
    assert data_hash(dict(reversed(ARRAYS.items()))) == data_hash(ARRAYS)
    assert data_hash({"x": np.arange(6).reshape(2, 3).T}) == data_hash(
        {"x": np.ascontiguousarray([[0, 3], [1, 4], [2, 5]])}
    )


# --- the line ---------------------------------------------------------------------------------------------------


def test_each_phase_keeps_what_changed_before_it():
    lines = dict(zip(changing_line.PHASES, changing_line.phases(1, horizon=1), strict=True))
    look, read, tap = ([line.senses[number].table for line in lines.values()] for number in range(3))
    assert (look[0] == look[4]).all() and (look[1] == look[2]).all() and (look[2] == look[3]).all()
    assert np.allclose(look[1], 1 / 6)  # a camera that is worn out says nothing
    assert (read[0] == read[1]).all() and (read[2] == read[4]).all()
    assert np.allclose(read[2], read[0][:, [1, 0, 3, 2, 5, 4, 6]])
    assert all((table == tap[0]).all() for table in tap)
    never = (MATERIAL == 1) & (np.arange(KINDS) // 4 == 2)
    for line in list(lines.values())[:3]:
        assert not line.prior[never].any() and line.prior[~never] == pytest.approx(PRIOR[~never] * 6 / 5)
    assert all(np.allclose(line.prior, PRIOR) for line in list(lines.values())[3:])
    assert len(changing_line.phases(3, horizon=1)) == 15


def test_renamed_materials_lose_nothing_to_an_agent_that_knows():
    """A sense whose symbols are permuted is worth the same; more wear is never worth more."""
    values = [plan(line).value for line in changing_line.phases(1, horizon=2)]
    assert values[1] == pytest.approx(values[2], abs=1e-12)
    worn = [plan(changing_line.phase("camera worn out", 2, wear)).value for wear in (0, 0.3, 0.6, 1)]
    assert worn[0] == pytest.approx(values[0], abs=1e-12) and (np.diff(worn) <= 1e-12).all() and worn[3] < worn[0]


def test_notes_of_the_second_supplier():
    rng = np.random.default_rng(0)
    parts = part_senses.draw_parts(4000, rng)
    texts = changing_line.second_supplier_notes(parts, rng)
    steel = np.array([any(word in text.split("non-")[-1] for word in changing_line.SURFACES[0]) for text in texts])
    assert (steel == (parts.material == 0)).mean() == pytest.approx(0.9, abs=0.02)
    assert (texts != "").all() and len(set(texts.tolist())) <= 6 * 6 * 6
    only = changing_line.second_supplier_notes(parts[:50], rng, forms=[1])
    assert all(text.startswith("item: ") for text in only)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: changing_line.phase("tuesday"),
        lambda: changing_line.phase("as trained", wear=2),
        lambda: changing_line.phases(0),
        lambda: changing_line.second_supplier_notes(part_senses.Parts(*np.zeros((3, 1), int)), None, forms=[9]),
        lambda: cycle.play(changing_line.phase("as trained", 1), np.zeros(1), None, 0, None),
        lambda: cycle.play(changing_line.phase("as trained", 1), np.zeros(1), None, 5, None, share=1.0),
        lambda: cycle.play(changing_line.phase("as trained", 1), np.zeros(1), None, 5, None, explore=1.0),
        lambda: cycle.run("no folder is made", [LINE], patience=0),
        lambda: cycle.run("no folder is made", []),
        lambda: refitting.replay_weights([0, 0], 1, 0.5),
        lambda: refitting.replay_weights([0, 1], 1, 1.5),
        lambda: refitting.fit(refitting.Reader(4, 0), np.zeros((0, 4)), [], seed=0),
        lambda: refitting.fit(refitting.Reader(4, 0), np.zeros((2, 4)), [0, 1], seed=0, weights=[1, 1]),
        lambda: refitting.fit(refitting.Reader(4, 0), np.zeros((2, 4)), [0, 1, 1], seed=0),
    ],
)
def test_bad_input_is_said(wrong):
    with pytest.raises(ValueError):
        wrong()


# --- evidence from a mixed log ------------------------------------------------------------------------------------

LINE = changing_line.phase("as trained", 2)
BEST, SIMPLE = plan(LINE).policy, fixed_sequence(LINE, [2])


def test_differences_are_unbiased_and_never_below_their_least_value():
    live = best_finals(LINE)
    truth = follow(LINE, BEST).value - follow(LINE, live).value
    log = cycle.play(LINE, live, BEST, 100_000, np.random.default_rng(0), share=0.3, explore=0.2)
    for policy in (live, BEST):  # weights have the mean 1
        weight = log.agrees(policy) / log.propensity
        assert abs(weight.mean() - 1) < 4 * weight.std() / len(log) ** 0.5
    for centre in (0.0, 0.4):
        D = cycle.differences(log, live, BEST, centre)
        assert abs(D.mean() - truth) < 4 * D.std() / len(log) ** 0.5
        assert D.min() >= cycle.least_difference(LINE, 0.3, 0.2, centre) - 1e-9
    assert (cycle.differences(log, BEST, BEST) == 0).all()


def test_the_propensity_is_that_of_the_whole_sequence():
    """One answer at most: exploring asks one of three senses, then the live policy decides."""
    line = changing_line.phase("as trained", 1)
    live, other = best_finals(line), fixed_sequence(line, [2])
    log = cycle.play(line, live, other, 2000, np.random.default_rng(1), share=0.25, explore=0.3)
    decided = log.action[:, 0] >= 3
    assert np.allclose(log.propensity[decided], 0.7 * 0.75)
    tapped = log.action[:, 0] == 2
    same = live[log.state[:, 1]] == other[log.state[:, 1]]
    agrees = log.agrees(other)
    assert np.allclose(log.propensity[tapped & same & agrees], 0.3 / 3 + 0.7 * 0.25)
    assert np.allclose(log.propensity[log.action[:, 0] == 0], 0.3 / 3)
    assert set(log.action[:, 0]) == {0, 1, 2, *live[:1]}


def test_a_log_holds_every_state_of_a_long_horizon():
    line = changing_line.phase("as trained", horizon=7)
    human = np.full(len(line.states.allowed), len(line.senses) + 7)
    states = cycle.play(line, human, None, 300, np.random.default_rng(0), explore=0.9).state
    assert states.min() == 0 and 2**15 < states.max() < len(line.states.allowed)


def test_without_a_challenger_or_exploring_the_live_policy_decides_alone():
    log = cycle.play(LINE, BEST, None, 500, np.random.default_rng(2), explore=0)
    assert log.agrees(BEST).all() and (log.propensity == 1).all()


def test_rewards_of_a_log_have_the_exact_mean():
    log = cycle.play(LINE, SIMPLE, None, 40_000, np.random.default_rng(3), explore=0)
    assert abs(log.reward.mean() - follow(LINE, SIMPLE).value) < 4 * log.reward.std() / len(log) ** 0.5
    assert at_random(LINE).shape == (len(LINE.states), LINE.actions)


def test_counted_tables_come_near_the_true_ones_whatever_was_asked():
    log = cycle.play(LINE, BEST, None, 60_000, np.random.default_rng(4), explore=0.5)
    found = cycle.counted(LINE, log)
    for one, other in zip(found.senses, LINE.senses, strict=True):
        assert np.abs(one.table - other.table)[LINE.prior > 0].max() < 0.06
    assert np.abs(found.prior - LINE.prior).max() < 0.01 and (found.prior > 0).all()


# --- the whole cycle ----------------------------------------------------------------------------------------------


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_challenger_is_compared_on_the_parts_that_came_after_it_and_on_no_others(tmp_path):
    lines = changing_line.phases(3, horizon=2)
    compared = []
    for rounds in range(1, len(lines) + 1):
        state = cycle.run(tmp_path, lines[:rounds], parts=60, seed=3).state
        if state["challenger"] is not None:
            made = int(state["challenger"][-4:])  # after so many rounds
            compared.append(rounds - made)
            assert (state["gate"]["count"] if state["gate"] else 0) == 60 * compared[-1]
    assert {0, 1} == set(compared)


def test_the_same_seed_writes_the_same_bytes_and_a_finished_cycle_stays_as_it_is(tmp_path):
    lines = changing_line.phases(2, horizon=2)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        cycle.run(tmp_path / name, lines, parts=150, seed=seed)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b and a != c
    cycle.run(tmp_path / "a", lines, parts=150, seed=0)
    assert contents(tmp_path / "a") == a
    assert (cycle.exact_values(tmp_path / "a", lines) <= [plan(line).value + 1e-12 for line in lines]).all()
    assert len(cycle.earned(tmp_path / "a", len(lines))) == len(lines)


def test_a_cycle_can_be_run_in_pieces(tmp_path):
    lines = changing_line.phases(2, horizon=2)
    cycle.run(tmp_path / "whole", lines, parts=150)
    for end in (1, 4, 10):
        cycle.run(tmp_path / "pieces", lines[:end], parts=150)
    assert contents(tmp_path / "whole") == contents(tmp_path / "pieces")


def test_without_a_gate_every_refit_is_promoted_and_with_it_hardly_one(tmp_path):
    lines = [changing_line.phase("as trained", 2)] * 12
    free = cycle.run(tmp_path / "free", lines, parts=100, gated=False)
    gated = cycle.run(tmp_path / "gated", lines, parts=100)
    assert len(free.history) == 13 and len(gated.history) <= 2
    store = Versions(tmp_path / "free")
    assert store.lineage(free.live)[-1] == cycle.FIRST and len(store.lineage(free.live)) == 13
    assert all(v.metrics == {"parts": 100.0} and len(v.data) == 64 for v in store.all()[1:])


def test_spoiled_data_do_not_pass_the_gate(tmp_path):
    lines = [changing_line.phase("as trained", 2)] * 8
    for gated in (True, False):
        cycle.run(tmp_path / str(gated), lines, parts=300, gated=gated, spoiled=(3,))
    guarded, free = (cycle.exact_values(tmp_path / str(gated), lines) for gated in (True, False))
    assert free[4] < free[3] - 0.2 and guarded.min() > guarded[0] - 0.05


def test_a_bad_version_that_is_promoted_by_hand_is_rolled_back(tmp_path):
    line = changing_line.phase("as trained", 2)
    crossed = designed() | {"tap": designed()["tap"][:, [1, 0, 3, 2]]}
    cycle.run(tmp_path, [line] * 2, parts=400)
    before = Versions(tmp_path).now().live
    forced = cycle.force(tmp_path, part_sort(2, crossed, prior=line.prior), "by hand")
    assert forced.live == "forced-0002" and forced.state["challenger"] == before
    after = cycle.run(tmp_path, [line] * 5, parts=400)
    assert after.live != forced.live and after.history[-1]["to"] == before
    assert Versions(tmp_path).lineage(forced.live) == [forced.live, before]
    values = cycle.exact_values(tmp_path, [line] * 5)
    assert values[2] < values[1] - 0.2 and values[4] == values[1]
    down, *rest = cycle.steps(tmp_path, [line] * 5)
    assert down == pytest.approx(values[2] - values[1]) and sum([down, *rest]) == pytest.approx(0)
    with pytest.raises(ValueError, match="not begun"):
        cycle.force(tmp_path / "empty", line, "")


KILLED = """
import os, random, signal, sys, time
from babyagi_lib.agents import cycle
from babyagi_lib.worlds import changing_line

folder, wanted = sys.argv[1], int(sys.argv[2])
lines, chance = changing_line.phases(12, horizon=2), random.Random(5)
begun = time.monotonic()
cycle.run(folder + "-timed", lines, parts=60, seed=7)
three_rounds = 3 * (time.monotonic() - begun) / len(lines)  # so that it is not at its end before the last kill
kills = 0
while kills < wanted:
    point, seconds, child = chance.randrange(1, 40), chance.uniform(0, three_rounds), os.fork()
    if not child:
        if kills % 2:  # at any time
            signal.setitimer(signal.ITIMER_REAL, seconds)
        else:  # before a file is opened for writing, renamed, made or removed
            left = [point]

            def change(event, about):
                writes = event == "open" and isinstance(about[2], int) and about[2] & os.O_ACCMODE
                if writes or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir"):
                    left[0] -= 1
                    if not left[0]:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(change)
        cycle.run(folder, lines, parts=60, seed=7)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        sys.exit(f"it came to its end after {kills} kills")
    kills += 1
cycle.run(folder, lines, parts=60, seed=7)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_twenty_times_it_loses_nothing_and_repeats_nothing(tmp_path):
    """Forked children of one process that has imported everything, so that kills fall into the work and not into imports."""
    cycle.run(tmp_path / "whole", changing_line.phases(12, horizon=2), parts=60, seed=7)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "whole") == contents(tmp_path / "killed")
    state = json.loads((tmp_path / "killed" / NOW).read_text(encoding="utf-8"))["state"]
    assert state["round"] == 60


def test_a_log_of_another_kind_is_refused(tmp_path):
    path = Path(tmp_path / "x.npz")
    np.savez(path, kind=np.zeros(2))
    with pytest.raises(ValueError, match="no log of the cycle"):
        cycle.read_log(path)


# --- a reader that forgets ------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    hnp.arrays(np.int64, st.integers(1, 30), elements=st.integers(0, 4)),
    st.floats(0, 1),
    st.data(),
)
def test_weights_are_probabilities_with_the_share_that_was_asked_for(supplier, share, data):
    newest = int(data.draw(st.sampled_from(supplier.tolist())))
    weights = refitting.replay_weights(supplier, newest, share)
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    older = [value for value in np.unique(supplier) if value != newest]
    for value in older:
        assert weights[supplier == value].sum() == pytest.approx(share / len(older))
        assert np.ptp(weights[supplier == value]) == pytest.approx(0)


def suppliers(number, rng):
    """Vectors whose first entry says the material; the second says who wrote, and turns its meaning round."""
    label = rng.integers(2, size=2 * number)
    second = np.repeat([0, 1], number)
    vectors = 0.3 * rng.normal(size=(2 * number, 12))
    vectors[:, 0] += (2 * label - 1) * (1 - 2 * second)
    vectors[:, 1] += 2 * second
    return (vectors[:number], label[:number]), (vectors[number:], label[number:])


def test_new_notes_alone_are_forgetting_replay_and_an_adapter_apart_are_not():
    rng = np.random.default_rng(0)
    (old, new), (old_test, new_test) = suppliers(300, rng), suppliers(300, rng)
    reader = refitting.fit(refitting.Reader(12, 0), *old, seed=0, steps=150)
    before = refitting.probabilities(reader, old_test[0])
    assert refitting.accuracy(reader, *old_test) > 0.95 > 0.3 > refitting.accuracy(reader, *new_test)
    alone = refitting.refitted(reader, old, new, 0.0, 1)
    mixed = refitting.refitted(reader, old, new, 0.3, 1)
    assert refitting.accuracy(alone, *new_test) > 0.9 and refitting.accuracy(alone, *old_test) < 0.7
    assert refitting.accuracy(mixed, *new_test) > 0.9 and refitting.accuracy(mixed, *old_test) > 0.9
    apart = refitting.Apart(reader, 0)
    assert np.array_equal(refitting.probabilities(apart, old_test[0]), before)  # a new adapter is the identity
    refitting.fit(apart, *new, seed=1)
    assert refitting.accuracy(apart, *new_test) > 0.9
    assert np.array_equal(refitting.probabilities(reader, old_test[0]), before)  # nobody has changed it
    assert np.array_equal(refitting.probabilities(apart.reader, old_test[0]), before)


def test_the_same_seed_trains_the_same_reader_whatever_torch_drew_before():
    old, _ = suppliers(40, np.random.default_rng(1))

    def trained(seed):
        torch.rand(3)
        return refitting.probabilities(refitting.fit(refitting.Reader(12, seed), *old, seed=seed, steps=5), old[0])

    assert np.array_equal(trained(0), trained(0)) and not np.array_equal(trained(0), trained(1))


def test_least_sure_notes_come_first():
    said = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.45, 0.55]])
    assert refitting.least_sure(said, 3).tolist() == [1, 3, 2]
