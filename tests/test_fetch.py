"""The rooms of lesson 10: the same world as MiniGrid's, transition by transition; shortest paths; instructions."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.learner.checks import reading_agent as checks
from babyagi_lib.worlds import fetch, fetch_agents, fetch_paths, fetch_sentences

EPISODES = 50  # of each size


def layout_of(env):
    """The array form of a room of MiniGrid."""
    image, room = env.grid.encode(), env
    grid = np.full(image.shape[:2], 255, dtype=np.uint8)
    for code, cell in enumerate(fetch.IMAGE):
        grid[(image == cell).all(axis=-1)] = code
    assert (grid < fetch.CODES).all()
    target = fetch.THINGS.index(f"{room.targetColor} {room.targetType}")
    phrase = [phrase.format(fetch.THINGS[target]) for phrase in fetch.PHRASES].index(room.mission)
    position = np.array([room.agent_pos], dtype=np.int64)
    return fetch.Layouts(grid[None], position, np.array([room.agent_dir]), np.array([target]), np.array([phrase]))


def assert_same_view(world, seen):
    view, instruction = world.see()
    assert np.array_equal(fetch.IMAGE[view[0]].reshape(7, 7, 3), seen["image"])
    assert world.heading[0] == seen["direction"]
    assert fetch_sentences.write()[instruction[0]] == seen["mission"]


@pytest.mark.parametrize("name", fetch.SIZES)
def test_every_transition_is_that_of_minigrid(name):
    """All seven actions, with pickups and, in some episodes, without, so that the time runs out."""
    pytest.importorskip("minigrid")
    import gymnasium

    env = gymnasium.make(f"MiniGrid-Fetch-{name}-v0", disable_env_checker=True)
    draw, ends, done = np.random.default_rng(0), Counter(), 0
    for episode in range(EPISODES):
        seen, _ = env.reset(seed=episode)
        world = fetch.Fetch(layout_of(env.unwrapped))
        assert world.layout.grid.shape[1] == fetch.SIZES[name][0] and world.limit == env.unwrapped.max_steps
        actions = range(7) if episode % 3 else (0, 1, 2, 4, 5, 6)
        over = False
        while not over:
            assert_same_view(world, seen)
            action = draw.choice(actions)
            seen, reward, terminated, truncated, _ = env.step(int(action))
            ours = world.step(np.array([action]))
            assert [part[0] for part in ours] == [reward, terminated, truncated]
            done, over = done + 1, terminated or truncated
        assert_same_view(world, seen)  # what was picked up is in the agent's own cell
        ends["truncated" if truncated else "right" if reward else "wrong"] += 1
    assert done > 2000 and min(ends[end] for end in ("truncated", "right", "wrong")) >= 3


def test_trained_or_not_a_policy_does_the_same_in_minigrid():
    """A shortest path found in arrays, walked in MiniGrid itself, takes the right thing after as many steps."""
    pytest.importorskip("minigrid")
    import gymnasium

    env = gymnasium.make("MiniGrid-Fetch-8x8-N3-v0", disable_env_checker=True)
    for episode in range(30):
        env.reset(seed=1000 + episode)
        layout = layout_of(env.unwrapped)
        least = fetch_paths.distances(layout)
        best, needed = fetch_paths.best_actions(layout, least), int(fetch_paths.from_start(layout, least)[0])
        if needed == fetch_paths.FAR:
            continue
        for _ in range(needed):
            x, y = env.unwrapped.agent_pos
            action = best[0, x, y, env.unwrapped.agent_dir].argmax()
            _, reward, terminated, _, _ = env.step(int(action))
        assert terminated and reward == pytest.approx(1 - 0.9 * needed / 320)


def test_layouts_are_drawn_uniformly():
    rooms = fetch.draw_layouts(40_000, np.random.default_rng(0))
    here = rooms.grid[rooms.grid >= fetch.FIRST] - fetch.FIRST
    for found, many in (
        (here, 12),
        (rooms.target, 12),
        (rooms.heading, 4),
        (rooms.phrase, 5),
        (rooms.position[:, 0] * 6 + rooms.position[:, 1] - 7, 36),
    ):
        counts = np.bincount(found, minlength=many)
        expected = len(found) / many
        assert len(counts) == many and (np.abs(counts - expected) < 5 * expected**0.5).all()
    cells = (rooms.grid >= fetch.FIRST).sum(axis=0)[1:-1, 1:-1]
    assert (np.abs(cells - 120_000 / 36) < 5 * (120_000 / 36) ** 0.5).all()
    assert ((rooms.grid >= fetch.FIRST).sum(axis=(1, 2)) == 3).all()
    assert (rooms.grid[np.arange(40_000), *rooms.position.T] == fetch.EMPTY).all()
    assert ((rooms.grid == fetch.FIRST + rooms.target[:, None, None]).sum(axis=(1, 2)) >= 1).all()


def test_only_what_may_be_wanted_is_wanted_and_only_what_may_be_there_is_there():
    rooms = fetch.draw_layouts(3000, np.random.default_rng(1), targets=[2, 9], things=[2, 4, 9, 11])
    assert set(rooms.target) == {2, 9}
    assert set(np.unique(rooms.grid)) == {0, 1, 4, 6, 11, 13}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 3}, "size is 3"),
        ({"objects": 36}, "do not fit into 36 cells"),
        ({"targets": []}, "one at least is in both"),
        ({"targets": [12]}, "0 to 11"),
        ({"things": [1], "targets": [2]}, "one at least is in both"),
        ({"phrases": 0}, "phrases is 0"),
    ],
)
def test_impossible_rooms_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        fetch.draw_layouts(2, np.random.default_rng(0), **options)


@pytest.mark.parametrize("action", [np.zeros(3, int), np.array([0, 7]), np.array([-1, 0])])
def test_wrong_actions_are_refused(action):
    with pytest.raises(ValueError, match="2 actions from 0 to 6"):
        fetch.rooms(2, np.random.default_rng(0)).step(action)


def test_rooms_that_begin_again_leave_the_others_alone():
    world = fetch.rooms(4, np.random.default_rng(2))
    for _ in range(5):
        world.step(np.array([0, 1, 2, 2]))
    before, layout = world.see()[0].copy(), world.layout.grid.copy()
    world.restart(np.array([False, True, False, True]))
    assert np.array_equal(world.see()[0][[0, 2]], before[[0, 2]]) and world.steps.tolist() == [5, 0, 5, 0]
    assert not np.array_equal(world.layout.grid[[1, 3]], layout[[1, 3]])


def test_without_fresh_layouts_the_same_rooms_begin_again_and_the_callers_stay_as_they_were():
    rooms = fetch.draw_layouts(3, np.random.default_rng(3))
    kept, world = rooms.grid.copy(), fetch.Fetch(rooms)
    first = world.see()[0].copy()
    for _ in range(30):
        world.step(np.array([2, 0, 3]))
    world.restart(np.ones(3, bool))
    assert np.array_equal(world.see()[0], first) and np.array_equal(rooms.grid, kept)


def test_rooms_that_are_kept_go_on_as_they_would_have():
    rooms = fetch.draw_layouts(20, np.random.default_rng(4))
    all_of_them, some, which = fetch.Fetch(rooms), fetch.Fetch(rooms), np.arange(20) % 3 == 0
    some.keep(which)
    draw = np.random.default_rng(5)
    for _ in range(40):
        action = draw.integers(3, size=20)
        one, other = all_of_them.step(action), some.step(action[which])
        assert all(np.array_equal(a[which], b) for a, b in zip(one, other, strict=True))
        assert np.array_equal(all_of_them.see()[0][which], some.see()[0])


def test_blind_chance_is_that_of_an_enumeration():
    rooms = np.array(list(itertools.product(range(12), repeat=3)))
    assert fetch.blind_chance(3) == pytest.approx((rooms == rooms[:, :1]).mean())
    assert fetch.blind_chance(1) == 1


def test_rooms_in_which_the_kind_decides():
    rooms = fetch.draw_layouts(500, np.random.default_rng(6))
    for grid, target, decides in zip(rooms.grid, rooms.target, fetch.kind_decides(rooms), strict=True):
        others = [fetch.THINGS[code - 2].split() for code in grid[grid >= 2] if code - 2 != target]
        colour = fetch.THINGS[target].split()[0]
        assert decides == any(other[0] == colour for other in others)


@pytest.mark.parametrize("things", [[], "red key", ["red box"]])
def test_unknown_things_are_named(things):
    with pytest.raises(ValueError, match=r"some of red key, green key"):
        fetch.places(things)


# --- shortest paths ------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(8, 3), (6, 2), (5, 2), (8, 16), (6, 9)]))
def test_shortest_paths_are_those_of_another_search(seed, sizes):
    """One that goes forwards from the start, as the exercise's does; crowded rooms included."""
    size, objects = sizes
    rooms = fetch.draw_layouts(4, np.random.default_rng(seed), size=size, objects=objects)
    found = fetch_paths.from_start(rooms, fetch_paths.distances(rooms))
    for number in range(4):
        wanted = checks.search(checks._room(rooms[number : number + 1]))
        assert found[number] == (fetch_paths.FAR if np.isinf(wanted) else wanted)


def test_every_best_action_lowers_the_distance_by_one():
    rooms = fetch.draw_layouts(300, np.random.default_rng(7), objects=6)
    least = fetch_paths.distances(rooms)
    best, state = fetch_paths.best_actions(rooms, least), np.argwhere(least != fetch_paths.FAR)
    assert best[tuple(state.T)].any(axis=-1).all() and not best[least == fetch_paths.FAR].any()
    draw = np.random.default_rng(8)
    for room, x, y, heading in state[draw.integers(len(state), size=400)]:
        start = rooms[room : room + 1]
        for action in range(4):
            at = fetch.Layouts(start.grid, np.array([[x, y]]), np.array([heading]), start.target, start.phrase)
            world = fetch.Fetch(at)
            reward, ended, _ = world.step(np.array([action]))
            now = 0 if reward[0] else fetch_paths.FAR
            if not ended[0]:
                now = least[room, *world.position[0], world.heading[0]]
            assert best[room, x, y, heading, action] == (now == least[room, x, y, heading] - 1)


def test_the_teacher_walks_shortest_paths():
    rooms = fetch.draw_layouts(400, np.random.default_rng(9))
    shortest = fetch_paths.from_start(rooms, fetch_paths.distances(rooms)).astype(int)
    view, instruction, target = fetch_agents.shown(rooms, np.random.default_rng(0))
    assert len(view) == len(instruction) == len(target) == shortest[shortest < fetch_paths.FAR].sum()
    assert np.allclose(target.sum(axis=1), 1)
    assert np.array_equal(view[: len(rooms)][:5], fetch.Fetch(rooms).see()[0][:5])


# --- instructions ---------------------------------------------------------------------------------------------


def test_there_are_fifty_paraphrases_and_none_shares_its_wording_with_another_group():
    groups = {"MiniGrid": fetch.PHRASES, **fetch_sentences.PARAPHRASES}
    wordings = {name: {checks.wording(s) for s in fetch_sentences.write(of)} for name, of in groups.items()}
    assert sum(len(of) for of in fetch_sentences.PARAPHRASES.values()) == 50
    for (one, first), (other, second) in itertools.combinations(wordings.items(), 2):
        assert not first & second, f"{one} and {other}"


def test_every_sentence_names_its_thing_and_no_other():
    for sentence, thing in zip(fetch_sentences.write(), itertools.cycle(fetch.THINGS)):
        assert sentence.endswith(f" a {thing}")
    for name, texts in fetch_sentences.held_out().items():
        if name in fetch_sentences.PARAPHRASES:
            for text, thing in zip(texts, itertools.cycle(fetch.THINGS)):
                words = re.findall(r"[a-z]+", text.lower().replace("keys", "key").replace("balls", "ball"))
                assert {word for word in words if word in checks.NAMES} == set(thing.split())


def test_new_words_stand_where_the_known_ones_stood():
    new = fetch_sentences.held_out()
    assert new["new nouns"][:2] == ["get a red latchkey", "get a green latchkey"] and len(new["new nouns"]) == 180
    assert new["new colour words"][6] == "get a crimson ball" and len(new["new colour words"]) == 120


def test_bags_of_words_are_sums_and_do_not_see_new_words():
    known = fetch_sentences.write()
    bags = fetch_sentences.words(known, known).reshape(5, 2, 6, -1)
    assert np.array_equal(bags[:, 0, 0] + bags[:, 1, 1], bags[:, 0, 1] + bags[:, 1, 0])
    one, other = fetch_sentences.words(["get a crimson key", "GET: a, key!"], known)
    assert np.array_equal(one, other) and one.sum() == 3
    assert fetch_sentences.one_hot(["get a red key", "get a crimson key"], known).sum(axis=1).tolist() == [1, 0]


# --- what policies do -----------------------------------------------------------------------------------------


def always(action):
    logits = torch.full((4,), -50.0).index_fill(0, torch.tensor([action]), 50.0)
    return lambda view, instruction: (logits.expand(len(view), 4), torch.zeros(len(view)))


def test_a_policy_that_does_nothing_runs_out_of_time():
    rooms = fetch.draw_layouts(5, np.random.default_rng(10), size=5, objects=2)
    played = fetch_agents.play(always(fetch.LEFT), rooms, seed=0)
    assert (played.took == -1).all() and (played.steps == 125).all() and played.right(rooms) == 0
    assert np.isnan(played.extra(rooms, np.ones(5)))


def test_what_was_taken_is_said():
    rooms = fetch.draw_layouts(400, np.random.default_rng(11))
    played = fetch_agents.play(always(fetch.PICK_UP), rooms, seed=0)
    x, y = (rooms.position + fetch.AHEAD[rooms.heading]).T
    ahead = rooms.grid[np.arange(400), x, y].astype(int) - fetch.FIRST
    assert np.array_equal(played.took, np.where(ahead >= 0, ahead, -1)) and (ahead >= 0).any()
    assert (played.steps[ahead >= 0] == 1).all() and played.right(rooms) == (ahead == rooms.target).mean()


def test_an_instruction_replaces_that_of_the_room():
    heard = []

    def listens(view, instruction):
        heard.append(instruction)
        return always(fetch.LEFT)(view, instruction)

    rooms = fetch.draw_layouts(3, np.random.default_rng(12), size=5, objects=2)
    fetch_agents.play(listens, rooms, seed=0, instruction=[7, 8, 9])
    assert heard[0].tolist() == [7, 8, 9]
    with pytest.raises(ValueError, match="3 instructions"):
        fetch_agents.play(listens, rooms, seed=0, instruction=[7, 8])


def test_logits_that_are_not_numbers_are_refused():
    rooms = fetch.draw_layouts(3, np.random.default_rng(12))
    with pytest.raises(ValueError, match="not finite"):
        fetch_agents.play(lambda view, told: (torch.full((len(view), 4), torch.nan), None), rooms, seed=0)


def test_a_film_ends_with_its_episode():
    rooms = fetch.draw_layouts(1, np.random.default_rng(13))
    film = fetch_agents.record(always(fetch.FORWARD), rooms, seed=0, instruction=0, longest=4)
    assert len(film) == 4 and film[0].position == tuple(rooms.position[0]) and film[0].action == fetch.FORWARD
    assert np.array_equal(film[0].grid, rooms.grid[0])
    with pytest.raises(ValueError, match="one room"):
        fetch_agents.record(always(0), fetch.draw_layouts(2, np.random.default_rng(0)), seed=0, instruction=0)
