"""Right and wrong answers to the exercises of lesson 10, with what each wrong one should be told."""

import heapq
import math
import re
from collections import deque

import numpy as np
import torch

from babyagi_lib.learner.checks import reading_agent as checks

WAYS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def breadth_first(grid, x, y, heading, target, *, block=lambda code: code != 0, step=1, last=1):
    waiting, seen = deque([(x, y, heading, 0)]), {(x, y, heading)}
    while waiting:
        x, y, heading, n = waiting.popleft()
        ahead = x + WAYS[heading][0], y + WAYS[heading][1]
        if grid[ahead] == target:
            return n + last
        after = [(x, y, (heading + 1) % 4), (x, y, (heading + 3) % 4)]
        after += [] if block(grid[ahead]) else [(*ahead, heading)]
        for state in after:
            if state not in seen:
                seen.add(state)
                waiting.append((*state, n + step))
    return math.inf


def dijkstra(grid, x, y, heading, target):
    heap, done = [(0, x, y, heading)], set()
    while heap:
        n, x, y, heading = heapq.heappop(heap)
        if (x, y, heading) in done:
            continue
        done.add((x, y, heading))
        ahead = x + WAYS[heading][0], y + WAYS[heading][1]
        if grid[ahead] == target:
            return float(n + 1)
        heapq.heappush(heap, (n + 1, x, y, (heading + 1) % 4))
        heapq.heappush(heap, (n + 1, x, y, (heading - 1) % 4))
        if grid[ahead] == 0:
            heapq.heappush(heap, (n + 1, *ahead, heading))
    return float("inf")


def by_sweeps(grid, x, y, heading, target):
    """Bellman-Ford over all states, from infinity."""
    grid = np.asarray(grid)
    d = np.full((*grid.shape, 4), np.inf)
    while True:
        new = np.full_like(d, np.inf)
        for i, j in np.argwhere(grid == 0):
            for h, (dx, dy) in enumerate(WAYS):
                there = d[i + dx, j + dy, h] if grid[i + dx, j + dy] == 0 else np.inf
                new[i, j, h] = 1 + min(d[i, j, (h + 1) % 4], d[i, j, h - 1], there)
                if grid[i + dx, j + dy] == target:
                    new[i, j, h] = 1
        if np.array_equal(new, d):
            return torch.tensor(d[x, y, heading])
        d = new


def in_waves(grid, x, y, heading, target):
    """Sets of states, one for each number of steps."""
    wave, seen, n = {(x, y, heading)}, set(), 1
    while wave:
        seen |= wave
        after = set()
        for x, y, h in wave:
            ahead = (x + WAYS[h][0], y + WAYS[h][1])
            if grid[ahead] == target:
                return np.int64(n)
            after |= {(x, y, (h + 1) % 4), (x, y, (h - 1) % 4)} | ({(*ahead, h)} if grid[ahead] == 0 else set())
        wave, n = after - seen, n + 1
    return np.inf


def backwards(grid, x, y, heading, target):
    """From the states in front of the target, against the moves."""
    free = {tuple(cell) for cell in np.argwhere(grid == 0).tolist()}
    goals = [(i, j, h) for i, j in free for h in range(4) if grid[i + WAYS[h][0], j + WAYS[h][1]] == target]
    steps, waiting = dict.fromkeys(goals, 1), deque(goals)
    while waiting:
        i, j, h = waiting.popleft()
        before = [(i, j, (h + 1) % 4), (i, j, (h - 1) % 4), (i - WAYS[h][0], j - WAYS[h][1], h)]
        for state in before:
            if state[:2] in free and state not in steps:
                steps[state] = steps[i, j, h] + 1
                waiting.append(state)
    return steps.get((x, y, heading), np.inf)


def with_estimate(grid, x, y, heading, target):
    """A*, with the distance along the axes as the estimate."""
    goals, least = np.argwhere(grid == target), {(x, y, heading): 0}

    def estimate(i, j):
        return int(np.abs(goals - (i, j)).sum(axis=1).min())

    heap = [(estimate(x, y), 0, x, y, heading)]
    while heap:
        _, n, i, j, h = heapq.heappop(heap)
        ahead = i + WAYS[h][0], j + WAYS[h][1]
        if grid[ahead] == target:
            return np.array([n + 1], dtype=np.float32)
        after = [(i, j, (h + 1) % 4), (i, j, (h - 1) % 4)] + ([(*ahead, h)] if grid[ahead] == 0 else [])
        for state in after:
            if n + 1 < least.get(state, math.inf):
                least[state] = n + 1
                heapq.heappush(heap, (n + 1 + estimate(*state[:2]), n + 1, *state))
    return np.inf


def known_path(number):
    return lambda *room: checks.PATH_MISTAKES[number][1](checks.Room(*room))


def depth_first(grid, x, y, heading, target):
    waiting, seen = [(x, y, heading, 0)], {(x, y, heading)}
    while waiting:
        x, y, heading, n = waiting.pop()
        ahead = x + WAYS[heading][0], y + WAYS[heading][1]
        if grid[ahead] == target:
            return n + 1
        after = [(x, y, (heading + 1) % 4), (x, y, (heading + 3) % 4)]
        for state in after + ([(*ahead, heading)] if grid[ahead] == 0 else []):
            if state not in seen:
                seen.add(state)
                waiting.append((*state, n + 1))
    return math.inf


def marks_cells(grid, x, y, heading, target):
    """Marks cells as seen, whatever the heading, so that no turn is ever new."""
    waiting, seen = deque([(x, y, heading, 0)]), {(x, y)}
    while waiting:
        x, y, heading, n = waiting.popleft()
        ahead = x + WAYS[heading][0], y + WAYS[heading][1]
        if grid[ahead] == target:
            return n + 1
        after = [(x, y, (heading + 1) % 4), (x, y, (heading - 1) % 4)]
        for state in after + ([(*ahead, heading)] if grid[ahead] == 0 else []):
            if state[:2] not in seen:
                seen.add(state[:2])
                waiting.append((*state, n + 1))
    return math.inf


def only_after_a_move(grid, x, y, heading, target):
    """Does not look whether the target is straight ahead at the start."""
    ahead = x + WAYS[heading][0], y + WAYS[heading][1]
    after = [(x, y, (heading + 1) % 4), (x, y, (heading - 1) % 4)]
    after += [(*ahead, heading)] if grid[ahead] == 0 else []
    return 1 + min(breadth_first(grid, *state, target) for state in after)


def any_thing(grid, x, y, heading, target):
    return breadth_first((grid > 1) * target + (grid == 1), x, y, heading, target)


def marks_the_grid(grid, x, y, heading, target):
    found = breadth_first(grid, x, y, heading, target)
    grid[x, y] = 1
    return found


def with_shared_state(grid, x, y, heading, target):
    """Returns -1 where there is no way."""
    found = breadth_first(grid, x, y, heading, target)
    return -1 if math.isinf(found) else found


# --- exercise 2 ------------------------------------------------------------------------------------------------


def proof(agent, pairs):
    first, second = agent(pairs[:, 0]), agent(pairs[:, 1])
    return ((first == pairs[:, 0]) & (second == pairs[:, 1]))[pairs[:, 0] != pairs[:, 1]].mean()


def room_by_room(agent, pairs):
    first, second = agent(list(pairs[:, 0])), agent(list(pairs[:, 1]))
    passed = [a == p and b == q for a, b, (p, q) in zip(first, second, pairs, strict=True) if p != q]
    return sum(passed) / len(passed)


def with_all(agent, pairs):
    took = np.stack([agent(column) for column in pairs.T], axis=1)
    kept = pairs[:, 0] != pairs[:, 1]
    return np.float32((took == pairs).all(axis=1)[kept].mean())


def with_torch(agent, pairs):
    pairs = torch.tensor(pairs)
    took = torch.stack([torch.tensor(agent(pairs[:, side])) for side in (0, 1)], dim=1)
    kept = pairs[:, 0].ne(pairs[:, 1])
    return (took == pairs).all(dim=1)[kept].float().mean()


def with_counts(agent, pairs):
    differ = np.flatnonzero(pairs[:, 0] - pairs[:, 1])
    wrong = (agent(pairs[:, 0]) != pairs[:, 0]) | (agent(pairs[:, 1]) != pairs[:, 1])
    return np.array(1 - np.count_nonzero(wrong[differ]) / len(differ))


def of_tried(score):
    def found(agent, pairs):
        return score(checks.Tried(pairs, agent(pairs[:, 0]), agent(pairs[:, 1])))

    return found


def known_proof(number):
    return of_tried(lambda case: checks.PROOF_MISTAKES[number][1](case))


def asks_kept_rooms(agent, pairs):
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return proof(agent, pairs)


def silenced(agent, pairs):
    return (agent(np.full(len(pairs), -1)) == -1).mean()


def verdict_only(agent, pairs):
    return float(proof(agent, pairs) == 1)


def told_words(agent, pairs):
    return (agent([f"thing {thing}" for thing in pairs[:, 0]]) == pairs[:, 0]).mean()


def joined_by_and(agent, pairs):
    kept = pairs[:, 0] != pairs[:, 1]
    right = [(agent(pairs[:, side]) == pairs[:, side])[kept].mean() for side in (0, 1)]
    return right[0] and right[1]


def both_differ(agent, pairs):
    """Takes something else the second time, whatever it is told."""
    first, second = agent(pairs[:, 0]), agent(pairs[:, 1])
    return ((first != second) & (first >= 0) & (second >= 0))[pairs[:, 0] != pairs[:, 1]].mean()


def told_the_same_twice(agent, pairs):
    first, again = agent(pairs[:, 0]), agent(pairs[:, 0])
    return ((first == pairs[:, 0]) & (again == pairs[:, 0]))[pairs[:, 0] != pairs[:, 1]].mean()


def other_colours_only(agent, pairs):
    """Leaves out rooms whose things have one colour, where a reader of colours fails."""
    first, second = agent(pairs[:, 0]), agent(pairs[:, 1])
    return ((first == pairs[:, 0]) & (second == pairs[:, 1]))[pairs[:, 0] % 6 != pairs[:, 1] % 6].mean()


def with_a_mask(agent, pairs):
    told = pairs[:, 0].copy()
    first = agent(told).copy()
    told[:] = pairs[:, 1]
    passed = (first == pairs[:, 0]) & (agent(told) == pairs[:, 1])
    return np.ma.array(passed, mask=pairs[:, 0] == pairs[:, 1]).mean()


# --- exercise 3 ------------------------------------------------------------------------------------------------


def masked(sentence, names):
    return " ".join("_" if word in names else word for word in re.findall("[a-z]+", sentence.lower()))


def leaks(train, test, names):
    known = {masked(sentence, names) for sentence in train}
    return [masked(sentence, names) in known for sentence in test]


def with_substitution(train, test, names):
    pattern = re.compile(rf"\b(?:{'|'.join(names)})\b")

    def key(sentence):
        return re.sub(r"[\W]+", " ", pattern.sub("*", sentence.lower()).replace("*", "thing")).strip()

    return np.isin([key(sentence) for sentence in test], [key(sentence) for sentence in train])


def with_two_marks(train, test, names):
    colours, kinds = names[:6], names[6:]

    def key(sentence):
        words = "".join(c if c.isalpha() else " " for c in sentence.casefold()).split()
        return ["C" if w in colours else "K" if w in kinds else w for w in words]

    known = [key(sentence) for sentence in train]
    return torch.tensor([key(sentence) in known for sentence in test])


def words_left_out(train, test, names):
    """Names dropped rather than masked, with the place kept by what stands around them."""

    def key(sentence):
        return tuple(word if word not in names else None for word in re.split(r"[^a-z]+", sentence.lower()) if word)

    return tuple(any(key(one) == key(other) for other in train) for one in test)


def with_every_thing(train, test, names):
    """Writes each test sentence with every thing, and looks for it in training."""

    def plain(sentence):
        return re.findall("[a-z]+", sentence.lower())

    known = {tuple(plain(sentence)) for sentence in train}
    found = []
    for sentence in test:
        words = plain(sentence)
        versions = [
            tuple(colour if w in names[:6] else kind if w in names[6:] else w for w in words)
            for colour in names[:6]
            for kind in names[6:]
        ]
        found.append(int(any(version in known for version in versions)))
    return np.array(found)


def known_leak(number):
    return lambda train, test, names: checks.LEAK_MISTAKES[number][1](test)


def themselves(train, test, names):
    return [sentence for sentence, leak in zip(test, leaks(train, test, names), strict=True) if leak]


def train_flags(train, test, names):
    return leaks(test, train, names)


def without_marks(train, test, names):
    def key(sentence):
        return [word for word in re.findall("[a-z]+", sentence.lower()) if word not in names]

    return [key(sentence) in map(key, train) for sentence in test]


def inside_words(train, test, names):
    def key(sentence):
        sentence = " ".join(re.findall("[a-z]+", sentence.lower()))
        for name in names:
            sentence = sentence.replace(name, "_")
        return sentence

    return [key(sentence) in map(key, train) for sentence in test]


def cut_out(train, test, names):
    def key(sentence):
        sentence = sentence.lower()
        for name in names:
            sentence = sentence.replace(name, "")
        return re.findall("[a-z]+", sentence)

    return [key(sentence) in map(key, train) for sentence in test]


def words_with_a_name(train, test, names):
    def key(sentence):
        words = re.findall("[a-z]+", sentence.lower())
        return ["_" if any(name in word for name in names) else word for word in words]

    return [key(sentence) in map(key, train) for sentence in test]


def in_words(train, test, names):
    return [str(leak) for leak in leaks(train, test, names)]


def in_place(train, test, names):
    """Overwrites both lists."""
    train[:] = [masked(sentence, names) for sentence in train]
    test[:] = [masked(sentence, set(names)) in train for sentence in test]
    return test


RETURNS = {checks.fewest_steps: "number", checks.both_ways: "number", checks.leaked: "booleans"}
CASES = [
    *(
        (checks.fewest_steps, answer)
        for answer in (breadth_first, dijkstra, by_sweeps, in_waves, backwards, with_estimate)
    ),
    *((checks.both_ways, answer) for answer in (proof, room_by_room, with_all, with_torch, with_counts, with_a_mask)),
    *(
        (checks.leaked, a)
        for a in (leaks, with_substitution, with_two_marks, words_left_out, with_every_thing, in_place)
    ),
]
MUTANTS = [
    (checks.fewest_steps, lambda *room: breadth_first(*room, last=0), "picking up is an action"),
    (checks.fewest_steps, lambda *room: breadth_first(*room, block=lambda code: code == 1), "walk through things"),
    (checks.fewest_steps, known_path(1), "turning costs a step"),
    (checks.fewest_steps, known_path(2), "you ignore the heading"),
    (checks.fewest_steps, known_path(3), "distance along the axes"),
    (checks.fewest_steps, known_path(4), "one less than the distance"),
    (checks.fewest_steps, known_path(6), "in front of the thing and not on it"),
    (checks.fewest_steps, known_path(7), "turn left as well"),
    (checks.fewest_steps, known_path(8), "turn right as well"),
    (checks.fewest_steps, known_path(9), "a half turn takes two"),
    (checks.fewest_steps, known_path(10), "wrong way round"),
    (checks.fewest_steps, known_path(11), "x first"),
    (checks.fewest_steps, known_path(12), "either will do"),
    (checks.fewest_steps, marks_cells, "a heading belongs to the state"),
    (checks.fewest_steps, depth_first, "there is a shorter way"),
    (checks.fewest_steps, only_after_a_move, "there is a shorter way"),
    (checks.fewest_steps, any_thing, "not the smallest number"),
    (checks.fewest_steps, with_shared_state, "return float('inf')"),
    (checks.fewest_steps, marks_the_grid, "changes the grid"),
    (
        checks.fewest_steps,
        lambda *room: None if math.isinf(breadth_first(*room)) else breadth_first(*room),
        "returns nothing",
    ),
    (checks.fewest_steps, lambda *room: 2 * breadth_first(*room), "a shorter way"),
    (checks.fewest_steps, lambda *room: [breadth_first(*room)] * 2, "you return 2 numbers"),
    (checks.both_ways, known_proof(0), "prove nothing"),
    (checks.both_ways, known_proof(1), "you count them as failed"),
    (checks.both_ways, known_proof(2), "average the two shares"),
    (checks.both_ways, known_proof(3), "multiply the two shares"),
    (checks.both_ways, known_proof(4), "when the first thing is told"),
    (checks.both_ways, known_proof(5), "when the second thing is told"),
    (checks.both_ways, known_proof(6), "at least once"),
    (checks.both_ways, known_proof(7), "does the opposite"),
    (checks.both_ways, known_proof(8), "crossed"),
    (checks.both_ways, known_proof(9), "the smaller of the two"),
    (checks.both_ways, known_proof(10), "share of failures"),
    (checks.both_ways, known_proof(11), "not a count"),
    (checks.both_ways, known_proof(12), "not a percentage"),
    (checks.both_ways, asks_kept_rooms, "must be told one thing for each"),
    (checks.both_ways, silenced, "numbers from 0 to 11"),
    (checks.both_ways, verdict_only, "not a verdict"),
    (checks.both_ways, told_words, "the agent must be told things"),
    (checks.both_ways, joined_by_and, "`a and b` of two numbers"),
    (checks.both_ways, both_differ, "not the share of rooms"),
    (checks.both_ways, told_the_same_twice, "when the first thing is told"),
    (checks.both_ways, other_colours_only, "not the share of rooms"),
    (checks.both_ways, lambda agent, pairs: proof(agent, pairs) / 2, "not the share of rooms"),
    *((checks.leaked, known_leak(number), message) for number, (message, _) in enumerate(checks.LEAK_MISTAKES)),
    (checks.leaked, without_marks, "leave a mark"),
    (checks.leaked, inside_words, "mask whole words only"),
    (checks.leaked, cut_out, "leave a mark where a name was, and mask whole words"),
    (checks.leaked, words_with_a_name, "mask whole words only"),
    (checks.leaked, in_words, "not strings"),
    (checks.leaked, themselves, "not the sentences themselves"),
    (checks.leaked, train_flags, "for each test sentence"),
    (checks.leaked, lambda train, test, names: set(test), "not the sentences themselves"),
    (checks.leaked, lambda train, test, names: [0.5] * len(test), "other numbers"),
    (checks.leaked, lambda train, test, names: any(leaks(train, test, names)), "for each test sentence"),
]
