"""Right and wrong answers to the exercises of lesson 14."""

import contextlib
import heapq

import numpy as np
import torch

from babyagi_lib.agents.memory import cosines
from babyagi_lib.learner.checks import task_loop as checks

# --- tasks that are still needed ---------------------------------------------------------------------------------


def needed(new, waiting, answered, needed):
    taken, kept = set(answered) | {question for _, question in waiting}, []
    for text, question in new:
        if question in needed and question not in taken:
            kept.append(text)
            taken.add(question)
    return kept


def by_open_questions(new, waiting, answered, needed):
    still = [q for q in needed if q not in answered and q not in [question for _, question in waiting]]
    kept = []
    for text, question in new:
        if question in still:
            still.remove(question)
            kept.append(text)
    return kept


def by_comprehension(new, waiting, answered, needed):
    blocked = {*answered, *(q for _, q in waiting)}
    return tuple(
        t for i, (t, q) in enumerate(new) if q in set(needed) - blocked and q not in [other for _, other in new[:i]]
    )


def by_dictionary(new, waiting, answered, needed):
    first = {}
    for text, question in new:
        first.setdefault(question, text)
    for question in [*answered, *dict(map(reversed, waiting))]:
        first.pop(question, None)
    return [text for question, text in first.items() if question in needed]


def by_generator(new, waiting, answered, needed):
    seen = list(answered) + [task[1] for task in waiting]
    for text, question in new:
        if needed.count(question) and not seen.count(question):
            seen.append(question)
            yield text


def backwards(new, waiting, answered, needed):
    kept = []
    for place in range(len(new) - 1, -1, -1):
        question = new[place][1]
        earlier = [q for _, q in new[:place]] + [q for _, q in waiting] + answered
        if question in needed and question not in earlier:
            kept.insert(0, new[place][0])
    return np.array(kept, dtype=object)


def kept(**switches):
    return lambda *given: checks.Proposed(*given).kept(**switches)


def changes_the_list(new, waiting, answered, needed_ones):
    found = needed(new, waiting, answered, needed_ones)
    waiting += [(text, dict(new)[text]) for text in found]
    return found


def never_ends(new, waiting, answered, needed_ones):
    """Right on the ten lists, which have no question of this name."""
    return needed(new, waiting, answered, needed_ones) or [text for text, q in new if q.startswith("question")]


def first_waiting_only(new, waiting, *rest):
    return needed(new, waiting[:1], *rest)


def last_waiting_only(new, waiting, *rest):
    return needed(new, waiting[-1:], *rest)


NEEDED = [
    (first_waiting_only, "these are not the tasks that are still needed"),
    (last_waiting_only, "these are not the tasks that are still needed"),
    (lambda new, w, answered, n: needed(new, w, answered[:1], n), "these are not the tasks that are still needed"),
    (lambda new, *rest: needed(new[::-1], *rest)[::-1], "these are not the tasks that are still needed"),
    (kept(needed=False), "whose question nobody needs"),
    (kept(answered=False), "whose question is answered already"),
    (kept(waiting=False), "a waiting task asks already"),
    (kept(once=False), "only the first is kept"),
    (kept(by_text=True), "compare the questions, not the texts"),
    (kept(stop=True), "you stop at the first task that is refused"),
    (kept(answered=False, waiting=False), "you look at `needed` only"),
    (lambda new, *_: [text for text, _ in new], "you keep every new task"),
    (lambda *given: sorted(needed(*given)), "keep the order of the new tasks"),
    (lambda *given: needed(*given)[::-1], "keep the order of the new tasks"),
    (lambda new, *rest: [t for t, _ in new if t not in needed(new, *rest)], "those that are kept"),
    (lambda new, *rest: [dict(new)[t] for t in needed(new, *rest)], "not their questions"),
    (lambda new, *rest: [(t, dict(new)[t]) for t in needed(new, *rest)], "the texts of the tasks alone"),
    (
        lambda new, w, a, n: [] if set(a) >= set(n) else [t for t, _ in new],
        "these are not the tasks that are still needed",
    ),
    (lambda *given: needed(*given)[:1], "these are not the tasks that are still needed"),
    (lambda *given: len(needed(*given)), "return a list of texts"),
    (lambda *given: None, "returns nothing"),
    (lambda *given: " ".join(needed(*given)), "return a list of texts"),
    (changes_the_list, "changes the lists"),
    (never_ends, "is not over after"),
]

# --- memory --------------------------------------------------------------------------------------------------------


def recall(task, objective, entries, k):
    similar = entries @ task / np.linalg.norm(entries, axis=1)
    found = []
    for place in np.argsort(-similar):
        if not any(np.array_equal(entries[place], entries[other]) for other in found):
            found.append(int(place))
    return found[:k]


def by_unique_rows(task, objective, entries, k):
    _, first = np.unique(entries, axis=0, return_index=True)
    first = np.sort(first)
    unit = entries[first] / np.linalg.norm(entries[first], axis=1, keepdims=True)
    return first[np.argsort(unit @ task)[::-1][:k]]


def recall_in_torch(task, objective, entries, k):
    task, entries = torch.as_tensor(task), torch.as_tensor(entries)
    similar = torch.cosine_similarity(entries, task[None], dim=1)
    similar[[any(torch.equal(entries[i], entries[j]) for j in range(i)) for i in range(len(entries))]] = -2
    order = similar.argsort(descending=True)
    return order[similar[order] > -2][:k]


def recall_in_single(task, objective, entries, k):
    return recall(task.astype(np.float32), objective, entries.astype(np.float32), k)


def with_a_heap(task, objective, entries, k):
    seen, heap = set(), []
    for place, row in enumerate(entries):
        if tuple(row) not in seen:
            seen.add(tuple(row))
            heapq.heappush(heap, (-(row @ task) / (row @ row) ** 0.5, place))
    return [heapq.heappop(heap)[1] for _ in range(min(k, len(heap)))]


def by_angle(task, objective, entries, k):
    last = {tuple(row): place for place, row in enumerate(entries)}  # the last of equal entries
    angle = np.arccos(np.clip(cosines(np.asarray, [task], entries)[0], -1, 1))
    return sorted(last.values(), key=lambda place: angle[place])[:k]


def of_memory(mistake):
    return lambda *given: mistake(checks.Asked(*given))


def changes_the_vectors(task, objective, entries, k):
    entries /= np.linalg.norm(entries, axis=1, keepdims=True)
    return recall(task, objective, entries, k)


MEMORY = [
    (lambda task, objective, *rest: recall(objective, objective, *rest), "you ask with the objective"),
    (of_memory(lambda c: c.ranked(c.entries @ c.task)), "a long vector is preferred"),
    (of_memory(lambda c: c.ranked(c.similar(), once=False)), "the same entry twice"),
    (lambda t, o, e, k: np.argsort(-(e @ t))[:k], "the same entry twice, and a long vector"),
    (of_memory(lambda c: c.ranked(-c.similar())), "the least similar entries come first"),
    (lambda *given: recall(*given)[::-1], "in the wrong order"),
    (lambda *given: sorted(recall(*given)), "in the wrong order"),
    (lambda t, o, e, k: recall(t, o, e, k + 1), "one entry too many"),
    (lambda t, o, e, k: recall(t, o, e, k - 1), "one entry too few"),
    (lambda t, o, e, k: recall(t, o, e, k + 1)[1:], "the most similar entry is left out"),
    (of_memory(lambda c: c.ranked(np.abs(c.similar()))), "the sign of the cosine counts"),
    (of_memory(lambda c: c.ranked(-np.linalg.norm(c.entries - c.task, axis=1))), "the nearest by distance"),
    (lambda t, o, e, k: list(range(len(e) - 1, -1, -1))[:k], "stored last"),
    (lambda t, o, e, k: recall(t / np.linalg.norm(t) + o / np.linalg.norm(o), o, e, k), "you mix task and objective"),
    (lambda t, o, e, k: np.sort(e @ t / np.linalg.norm(e, axis=1))[::-1][:k], "Do you return the cosines?"),
    (lambda *given: [place + 1 for place in recall(*given)], "there is no place"),
    (lambda t, o, e, k: list(range(len(e) - 1))[:k], "most similar to the task"),
    (lambda t, o, e, k: recall(t, o, e, k)[:1] * min(k, 2), "the same entry twice"),
    (lambda t, o, e, k: e[recall(t, o, e, k)], "in a row"),
    (lambda t, o, e, k: np.isin(np.arange(len(e)), recall(t, o, e, k)), "not True or False"),
    (lambda t, o, e, k: recall(t, o, e - e.mean(axis=0), k), "most similar to the task"),
    (of_memory(lambda c: c.ranked(c.entries @ c.task / np.abs(c.entries).sum(axis=1))), "most similar to the task"),
    (of_memory(lambda c: c.ranked(c.similar(), len(c.entries))), "most similar to the task"),
    (lambda *given: None, "returns nothing"),
    (changes_the_vectors, "changes the vectors"),
]

# --- the guard -----------------------------------------------------------------------------------------------------


def guarded(call, run, allowed, spent, budget, approve):
    if call["tool"] not in allowed or spent + call["cents"] > budget:
        return None
    if call["tool"] in ("refund", "delete") and (call["source"] != "user" or not approve(call)):
        return None
    return run(call)


def in_one_expression(call, run, allowed, spent, budget, approve):
    final = call["tool"] in {"refund", "delete"}
    fine = call["tool"] in allowed and budget - spent >= call["cents"]
    return fine and (not final or (call["source"] == "user" and approve(call))) and run(call)


def by_reasons(call, run, allowed, spent, budget, approve):
    """Collects the reasons first, as an audit log would."""
    final = call["tool"] in ["refund", "delete"]
    reasons = [
        ("no such permission", not allowed & {call["tool"]}),
        ("too expensive", spent + call["cents"] > budget),
        ("not the user's words", final and call["source"] != "user"),
    ]
    refused = [why for why, holds in reasons if holds]
    if not refused and final and not approve(call):
        refused.append("a person said no")
    return refused or run(call)


def with_exceptions(call, run, allowed, spent, budget, approve):
    def check():
        if call["tool"] not in allowed:
            raise PermissionError
        if spent + call["cents"] > budget:
            raise PermissionError
        if call["tool"] in ("refund", "delete"):
            if call["source"] != "user":
                raise PermissionError
            if not approve(call):
                raise PermissionError

    try:
        check()
    except PermissionError:
        return "refused"
    return run(call)


def by_cases(call, run, allowed, spent, budget, approve):
    match call:
        case {"tool": tool} if tool not in allowed:
            return
        case {"cents": cents} if cents > budget - spent:
            return
        case {"tool": "refund" | "delete", "source": "user"}:
            if approve(call):
                run(call)
        case {"tool": "refund" | "delete"}:
            return
        case _:
            run(call)


def with_copies(call, run, allowed, spent, budget, approve):
    call = dict(call)
    total = np.int64(spent) + call["cents"]
    if sum([call["tool"] in allowed, total <= budget]) == 2:
        if call["tool"] not in ("refund", "delete"):
            run(call)
        elif call["source"] == "user" and approve(dict(call)):
            run(dict(call))


def after_the_call(call, run, *rest):
    answer = run(call)
    return guarded(call, lambda call: answer, *rest)


def approved_after_the_call(call, run, allowed, spent, budget, approve):
    if call["tool"] in allowed and spent + call["cents"] <= budget:
        final = call["tool"] in ("refund", "delete")
        if not final or call["source"] == "user":
            answer = run(call)
            return answer if not final or approve(call) else None


def breaking(
    *,
    tool=True,
    cost=True,
    equal=True,
    source=True,
    every_source=False,
    ask=True,
    always=False,
    final=("refund", "delete"),
):
    """A guard with one mistake."""

    def mutant(call, run, allowed, spent, budget, approve):
        total = spent + call["cents"] * cost
        if tool and call["tool"] not in allowed:
            return
        if total > budget or (not equal and total == budget):
            return
        is_final = call["tool"] in final
        if source and (is_final or every_source) and call["source"] != "user":
            return
        if (always or (ask and is_final)) and not approve(call):
            return
        run(call)

    return mutant


def trusts_what_it_says(call, run, allowed, spent, budget, approve):
    if "approved" in call["says"]:
        approve = lambda call: True  # noqa: E731
    return guarded(call, run, allowed, spent, budget, approve)


def trusts_a_file_that_says_so(call, run, allowed, spent, budget, approve):
    if "approved" in call["says"]:
        call_, said = dict(call, source="user"), lambda _: True
        return guarded(call_, lambda _: run(call), allowed, spent, budget, said)
    return guarded(call, run, allowed, spent, budget, approve)


def remembering():
    said = set()

    def mutant(call, run, allowed, spent, budget, approve):
        def once(call):
            if call["tool"] not in said and approve(call):
                said.add(call["tool"])
                return True
            return call["tool"] in said

        return guarded(call, run, allowed, spent, budget, once)

    return mutant


def asks_first(call, run, allowed, spent, budget, approve):
    if call["tool"] in ("refund", "delete") and not approve(call):
        return
    guarded(call, run, allowed, spent, budget, lambda call: True)


def a_person_may_do_everything(call, run, allowed, spent, budget, approve):
    if call["tool"] in ("refund", "delete") and call["source"] == "user" and approve(call):
        run(call)
    elif call["tool"] not in ("refund", "delete"):
        guarded(call, run, allowed, spent, budget, approve)


def no_budget(call, run, allowed, spent, budget, approve):
    return guarded(call, run, allowed, 0, 10**9, approve)


def catches_everything(call, run, *rest):
    with contextlib.suppress(BaseException):
        run(call["tool"])
    return guarded(call, run, *rest)


def changes_the_call(call, *rest):
    call["cents"] = 0
    return guarded(call, *rest)


def allows_more(call, run, allowed, *rest):
    allowed.add(call["tool"])
    return guarded(call, run, allowed, *rest)


def counts_by_itself():
    total = 0

    def mutant(call, run, allowed, spent, budget, approve):
        nonlocal total
        total += call["cents"]
        return guarded(call, run, allowed, total, budget, approve)

    return mutant


GUARDS = [
    (catches_everything, "with the call that you were given"),
    (changes_the_call, "changes the call"),
    (allows_more, "the tool is not checked"),
    (counts_by_itself(), "`spent` is given"),
    (lambda call, run, *rest: guarded(call, run, *rest[:-1], lambda call: rest[-1]), "no person is asked"),
    (after_the_call, "you make the call first and check then"),
    (approved_after_the_call, "you make the call first and check then"),
    (breaking(tool=False), "the tool is not checked"),
    (breaking(cost=False), "compare spent + cents"),
    (breaking(equal=False), "the budget is off by one"),
    (no_budget, "the budget is not checked"),
    (breaking(source=False), "the source is not checked"),
    (breaking(every_source=True), "may come from any source"),
    (breaking(ask=False), "no person is asked"),
    (breaking(always=True), "asked about every call"),
    (breaking(final=("refund",)), "delete cannot be undone either"),
    (breaking(final=("delete",)), "a refund cannot be undone either"),
    (trusts_what_it_says, "you trust what a tool said"),
    (trusts_a_file_that_says_so, "you trust what a tool said"),
    (remembering(), "remember nothing"),
    (asks_first, "ask the person last"),
    (a_person_may_do_everything, "this is not what the three rules say"),
    (lambda call, *_: None, "no call is ever made"),
    (lambda call, run, *rest: guarded(call, lambda c: (run(c), run(c)), *rest), "a call is made twice"),
    (lambda call, run, *rest: guarded(call, lambda c: run(c["tool"]), *rest), "call `run(call)` with the call"),
    (
        lambda c, r, a, s, b, approve: guarded(c, r, a, s, b, lambda c: approve(c["tool"])),
        "about the call that you were given",
    ),
    (lambda call, run, *_: run(call), "you make the call first and check then"),
]

RETURNS = {checks.still_needed: "names", checks.recall: "integers", checks.guarded: "in place"}
CASES = [
    *(
        (checks.still_needed, answer)
        for answer in (needed, by_open_questions, by_comprehension, by_dictionary, by_generator, backwards)
    ),
    *(
        (checks.recall, answer)
        for answer in (recall, by_unique_rows, recall_in_torch, recall_in_single, with_a_heap, by_angle)
    ),
    *(
        (checks.guarded, answer)
        for answer in (guarded, in_one_expression, by_reasons, with_exceptions, by_cases, with_copies)
    ),
]
MUTANTS = [
    *((checks.still_needed, mutant, said) for mutant, said in NEEDED),
    *((checks.recall, mutant, said) for mutant, said in MEMORY),
    *((checks.guarded, mutant, said) for mutant, said in GUARDS),
]
