"""One interface to language models of very different size: how likely is each of these texts after that prompt? Used by lesson 14.

An agent that chooses among candidates needs no more, and it works with a model that could never write a correct call by itself.
There are a script (for tests), rules, a small GPT that is trained here, SmolLM2 (an extra) and a hosted model. Imports no torch;
the models that need it do when they are made.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole

if TYPE_CHECKING:
    from babyagi_lib.models.gpt import GPT

ADDRESS, KEY, MODEL = "TASK_LOOP_API_BASE", "TASK_LOOP_API_KEY", "TASK_LOOP_API_MODEL"  # of the environment
LONGEST_REPLY = 1_000_000  # bytes
PAD, CALL, END, UNKNOWN = "<pad>", "=>", "<end>", "<unknown>"


class LanguageModel(Protocol):
    """What an agent asks."""

    name: str

    def log_likelihoods(self, prompt: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        """The log-likelihood of each candidate after the prompt, up to a constant: (candidates,)."""


class ModelFailed(Exception):
    """A hosted model did not answer, or not in the form that was asked for."""


def choose(model: LanguageModel, prompt: str, candidates: Sequence[str]) -> int:
    """The place of the likeliest candidate; of equal ones the first.

    Raises:
        ValueError: there is no candidate, or the model gives another number of log-likelihoods, or NaN.
    """
    if not len(candidates):
        raise ValueError("there is no candidate to choose from")
    found = np.asarray(model.log_likelihoods(prompt, candidates), dtype=float)
    if found.shape != (len(candidates),) or np.isnan(found).any():
        raise ValueError(f"{model.name} gives {found!r:.60} for {len(candidates)} candidates")
    return int(found.argmax())


class Scripted:
    """Says the lines of a script, one after the other.

    Args:
        lines: what to choose at each call.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.name, self.lines, self.at = "script", list(lines), 0

    def log_likelihoods(self, prompt: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        """0 for the line of the script, -inf for all others; raises ValueError where the line is no candidate."""
        if self.at == len(self.lines):
            raise ValueError(f"the script has {len(self.lines)} lines; it is asked for one more")
        line = self.lines[self.at]
        if line not in candidates:
            raise ValueError(f"line {self.at + 1} of the script, {line!r}, is none of the {len(candidates)} candidates")
        self.at += 1
        return np.where(np.array(list(candidates), dtype=object) == line, 0.0, -np.inf)


class Rules:
    """A rule that was written by hand.

    Args:
        rule: of prompt and candidates, a number for each candidate, the highest for what it prefers.
        name: for tables.
    """

    def __init__(self, rule: Callable[[str, Sequence[str]], Sequence[float]], name: str = "rules") -> None:
        self.rule, self.name = rule, name

    def log_likelihoods(self, prompt: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        """The numbers of the rule, as if they were log-likelihoods."""
        return np.asarray(self.rule(prompt, candidates), dtype=float)


class SmallGPT:
    """The GPT of `models.gpt` over words, trained on prompts with the candidate that was right.

    Args:
        slots: of a prompt and other texts, the same texts with a slot in place of each value that the prompt names, as
            `worlds.tool_tasks.with_slots` does it. What the model then has to learn is *which* value belongs into a call, and
            not thousands of values.
        longest: words of a prompt that are read: its beginning and its end, half each.
    """

    def __init__(
        self, slots: Callable[[str, Sequence[str]], tuple[str, list[str]]] | None = None, longest: int = 80
    ) -> None:
        check_whole("longest", longest, 8)
        self.name, self.longest = "small GPT", longest
        self.slots = slots or (lambda prompt, others: (prompt, list(others)))
        self.vocabulary: dict[str, int] = {}
        self.model: GPT | None = None

    def words(self, prompt: str, candidates: Sequence[str]) -> tuple[list[str], list[list[str]]]:
        """The words of a prompt and of each candidate, slots and punctuation marks included."""
        prompt, candidates = self.slots(prompt, candidates)
        head, *rest = (re.findall(r"<[\w ]+>|=>|\w+|[^\w\s]", text.lower()) for text in (prompt, *candidates))
        half = self.longest // 2
        return (head if len(head) <= self.longest else head[:half] + head[-half:]), rest

    def train(
        self,
        examples: Sequence[tuple[str, str]],
        *,
        steps: int,
        seed: int,
        batch: int = 32,
        rate: float = 3e-3,
        d: int = 64,
    ) -> list[float]:
        """Learn from (prompt, candidate) pairs. Only the words of the candidate count in the loss.

        Returns:
            The loss of each step.

        Raises:
            ValueError: there is no example, or a number is out of its range.
        """
        import torch

        from babyagi_lib.models.gpt import GPT, pretrain

        check_whole("steps", steps, 1)
        if not examples:
            raise ValueError("there is no example to learn from")
        pairs = [(head, right) for head, [right] in (self.words(prompt, [text]) for prompt, text in examples)]
        known = dict.fromkeys([PAD, CALL, END, UNKNOWN, *(word for pair in pairs for part in pair for word in part)])
        self.vocabulary = {word: number for number, word in enumerate(known)}
        generator = torch.Generator().manual_seed(seed)
        width = self.longest + max(len(right) for _, right in pairs) + 2
        self.model = GPT(len(known), width + 16, d=d, generator=generator)
        rows, starts = zip(*(self._row(*pair) for pair in pairs), strict=True)
        ids, counted = self._batch(rows, starts)
        pad = self.vocabulary[PAD]
        return pretrain(self.model, ids, steps, batch, rate, pad, generator, ids.masked_fill(~counted, pad))

    def log_likelihoods(self, prompt: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        """The sum of the log-probabilities of a candidate's words and of its end.

        Raises:
            ValueError: the model was not trained.
        """
        if self.model is None:
            raise ValueError("train the model before you ask it")
        import torch

        head, rest = self.words(prompt, candidates)
        rows, starts = zip(*(self._row(head, right) for right in rest), strict=True)
        ids, counted = self._batch(rows, starts)
        ids, counted = ids[:, : self.model.longest + 1], counted[:, : self.model.longest + 1]
        with torch.no_grad():
            logs = torch.log_softmax(self.model(ids[:, :-1]), dim=-1)
        each = logs.gather(2, ids[:, 1:, None])[..., 0]
        return torch.where(counted[:, 1:], each, 0.0).sum(dim=1).double().numpy()

    def _row(self, head: Sequence[str], right: Sequence[str]) -> tuple[list[int], int]:
        """The ids of prompt, arrow, candidate and end, and where the candidate begins."""
        words = [*head, CALL, *right, END]
        return [self.vocabulary.get(word, self.vocabulary[UNKNOWN]) for word in words], len(head) + 1

    def _batch(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> tuple[Any, Any]:
        """Padded ids, (rows, longest), and which of them belong to candidates."""
        import torch

        longest = max(map(len, rows))
        ids, counted = (
            torch.zeros(len(rows), longest, dtype=torch.long),
            torch.zeros(len(rows), longest, dtype=torch.bool),
        )
        for number, (row, start) in enumerate(zip(rows, starts, strict=True)):
            ids[number, : len(row)] = torch.tensor(row)
            counted[number, start : len(row)] = True
        return ids, counted


class Causal:
    """A causal language model of transformers, such as SmolLM2 (`sources.language_models.load_language_model`).

    What a prompt has in common with the one before it is read once, and so is what several candidates begin with.

    Args:
        model, tokenizer: as loaded.
        instruction: what stands before every prompt, such as `tool_agent.worked`.
        name: for tables.
    """

    def __init__(self, model: Any, tokenizer: Any, instruction: str = "", name: str = "SmolLM2") -> None:
        self.model, self.tokenizer, self.instruction, self.name = model, tokenizer, instruction, name
        self.cache: Any = None  # keys and values of the tokens in `read`
        self.read: list[int] = []

    def log_likelihoods(self, prompt: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        """The sum of the log-probabilities of a candidate's tokens and of the end of its line."""
        import torch
        from transformers import DynamicCache

        head = self._tokens(self.instruction) + self._tokens(f"{prompt}\n{CALL}")
        cache, read = self.cache or DynamicCache(config=self.model.config), self.read
        self.cache, self.read = None, []  # should the model be interrupted
        # The last token of the prompt is always read again, since what follows it is asked.
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(head[:-1], read, strict=False)))
        if same < len(read):
            cache.crop(same - len(read))
        ids, parents, asked = _tree(head[same:], [self._tokens(f" {text}\n") for text in candidates])
        # A token sees what is in the cache, and its own branch: what its parent sees, and itself.
        seen = torch.zeros(len(ids), same + len(ids), dtype=torch.bool)
        seen[:, :same] = True
        for place, parent in enumerate(parents):
            if parent >= 0:
                seen[place] = seen[parent]
            seen[place, same + place] = True
        numbers, before, wanted = (torch.tensor(column) for column in zip(*asked, strict=True))
        needed, at = before.unique(return_inverse=True)
        with torch.no_grad():
            logits = self.model(
                torch.tensor([ids]),
                position_ids=seen.sum(dim=1)[None] - 1,
                attention_mask=torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)[None, None],
                past_key_values=cache,
                logits_to_keep=needed,
            ).logits[0]
        cache.crop(len(head) - same - len(ids))  # the candidates
        self.cache, self.read = cache, head
        each = logits.double().log_softmax(dim=1)[at, wanted]
        return torch.zeros(len(candidates), dtype=torch.double).index_add(0, numbers, each).numpy()

    def _tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]


def _tree(
    chain: Sequence[int], branches: Sequence[Sequence[int]]
) -> tuple[list[int], list[int], list[tuple[int, int, int]]]:
    """A chain of tokens, and branches that begin at its end; what branches have in common is there once.

    Returns:
        The tokens; the place of the token before each, -1 for the first; and for each token of each branch the number of the
        branch, the place before the token, and the token.
    """
    ids, parents = list(chain), list(range(-1, len(chain) - 1))
    children: dict[tuple[int, int], int] = {}  # the place of a token after a place
    asked = []
    for number, branch in enumerate(branches):
        place = len(chain) - 1
        for token in branch:
            asked.append((number, place, token))
            if (place, token) not in children:
                children[place, token] = len(ids)
                ids.append(token)
                parents.append(place)
            place = children[place, token]
    return ids, parents, asked


class Hosted:
    """A hosted model behind an OpenAI-compatible address; it names the number of the candidate that it chooses.

    Args:
        address: such as `https://api.example.com/v1`; plain http only on this machine.
        key: is sent to that address and nowhere else, and is in no message.
        model: its name there.
        seconds: how long to wait for an answer.

    Raises:
        ValueError: the address is neither https nor on this machine.
    """

    def __init__(self, address: str, key: str, model: str, seconds: float = 30.0) -> None:
        check_number("seconds", seconds, 0, above=True)
        parts = urllib.parse.urlsplit(address)
        here = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and here)):
            raise ValueError("the address must begin with https://, or with http:// and be on this machine")
        self.name, self.address, self.model, self.seconds = f"hosted {model}", address.rstrip("/"), model, seconds
        self._key = key

    @classmethod
    def from_environment(cls) -> Hosted:
        """The model that the environment names by TASK_LOOP_API_BASE, TASK_LOOP_API_KEY and TASK_LOOP_API_MODEL.

        Raises:
            ValueError: one of them is not set, or the address is not allowed.
        """
        found = [os.environ.get(name, "") for name in (ADDRESS, KEY, MODEL)]
        if not all(found):
            missing = [name for name, value in zip((ADDRESS, KEY, MODEL), found, strict=True) if not value]
            raise ValueError(f"a hosted model needs {', '.join(missing)} in the environment")
        return cls(*found)

    def log_likelihoods(self, prompt: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        """0 for the candidate that the model names, -inf for all others; costs one request.

        Raises:
            ModelFailed: there was no answer in time, or it names no candidate.
        """
        listed = "\n".join(f"{number}. {text}" for number, text in enumerate(candidates, 1))
        asked = f"{prompt}\n\nWhich comes next?\n{listed}\n\nAnswer with its number only."
        said = self._ask(asked)
        number = re.fullmatch(r"\s*(\d{1,6})\s*\.?\s*", said)
        if not number or not 1 <= int(number[1]) <= len(candidates):
            shown = (said.replace(self._key, "...") if self._key else said)[:60]  # a server may send back what it got
            raise ModelFailed(f"{self.name} answered {shown!r}, which is no number from 1 to {len(candidates)}")
        return np.where(np.arange(len(candidates)) == int(number[1]) - 1, 0.0, -np.inf)

    def _ask(self, text: str) -> str:
        body = {"model": self.model, "messages": [{"role": "user", "content": text}], "temperature": 0}
        request = urllib.request.Request(
            f"{self.address}/chat/completions",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        # No redirects: urllib would send the key on to wherever they lead. And no proxy where nothing is encrypted.
        proxies = [urllib.request.ProxyHandler({})] if request.type == "http" else []
        opener = urllib.request.build_opener(_NoRedirects, *proxies)
        raw, end = b"", time.monotonic() + self.seconds
        try:
            with opener.open(request, timeout=self.seconds) as reply:
                while len(raw) <= LONGEST_REPLY and (piece := reply.read1(2**16)):
                    raw += piece
                    if time.monotonic() > end:  # a byte now and then never is a timeout of the connection
                        raise TimeoutError
        except urllib.error.HTTPError as error:
            raise ModelFailed(f"{self.name} answered with HTTP status {error.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:  # refused, too late, or no HTTP
            raise ModelFailed(f"{self.name} did not answer ({type(error).__name__})") from None
        try:
            said = json.loads(raw)["choices"][0]["message"]["content"] if len(raw) <= LONGEST_REPLY else None
        except (ValueError, LookupError, TypeError, RecursionError):
            said = None
        if not isinstance(said, str):
            raise ModelFailed(f"{self.name} sent no chat completion")
        return said


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: a redirect is an error."""
