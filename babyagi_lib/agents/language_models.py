"""One interface to language models of very different size: how likely is each of these texts after that prompt? Used by lesson 14.

An agent that chooses among candidates needs no more, and it works with a model that could never write a correct call by itself.
There are a script (for tests), rules, a small GPT that is trained here, SmolLM2 (an extra) and a hosted model. Imports no torch;
the models that need it do when they are made.
"""

from __future__ import annotations

import copy
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
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
        from torch.nn import functional as F

        from babyagi_lib.models.gpt import GPT

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
        optimiser = torch.optim.AdamW(self.model.parameters(), lr=rate, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        losses = []
        for _ in range(steps):
            chosen = torch.randint(len(rows), (batch,), generator=generator).tolist()
            ids, counted = self._batch([rows[i] for i in chosen], [starts[i] for i in chosen])
            targets = ids[:, 1:].masked_fill(~counted[:, 1:], -100)
            loss = F.cross_entropy(self.model(ids[:, :-1]).flatten(0, 1), targets.flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        return losses

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

    Args:
        model, tokenizer: as loaded.
        instruction: what stands before every prompt, such as `tool_agent.worked`. It is read once.
        name: for tables.
    """

    def __init__(self, model: Any, tokenizer: Any, instruction: str = "", name: str = "SmolLM2") -> None:
        self.model, self.tokenizer, self.instruction, self.name = model, tokenizer, instruction, name
        self.read: Any = None

    def log_likelihoods(self, prompt: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        """The sum of the log-probabilities of a candidate's tokens and of the end of its line.

        The prompt is read once for all candidates; what the model keeps of it is copied for each.
        """
        import torch

        def tokens(text: str) -> list[int]:
            return self.tokenizer(text, add_special_tokens=False)["input_ids"]

        tails = [tokens(f" {text}\n") for text in candidates]
        longest = max(map(len, tails))
        ids = torch.tensor([tail + [0] * (longest - len(tail)) for tail in tails])
        with torch.no_grad():
            if self.instruction and self.read is None:
                start = torch.tensor([tokens(self.instruction)])
                self.read = self.model(start, use_cache=True).past_key_values
            kept = copy.deepcopy(self.read)  # reading on writes into it
            head = torch.tensor([tokens(f"{prompt}\n{CALL}")])
            start = self.model(head, past_key_values=kept, use_cache=True)
            first, kept = start.logits[:, -1:], start.past_key_values
            kept.batch_repeat_interleave(len(tails))
            rest = self.model(ids[:, :-1], past_key_values=kept).logits
            logs = torch.cat([first.expand(len(tails), 1, -1), rest], dim=1).double().log_softmax(dim=-1)
        each = logs.gather(2, ids[..., None])[..., 0]
        return np.array([float(row[: len(tail)].sum()) for row, tail in zip(each, tails, strict=True)])


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
            raise ModelFailed(f"{self.name} answered {said[:60]!r}, which is no number from 1 to {len(candidates)}")
        return np.where(np.arange(len(candidates)) == int(number[1]) - 1, 0.0, -np.inf)

    def _ask(self, text: str) -> str:
        body = {"model": self.model, "messages": [{"role": "user", "content": text}], "temperature": 0}
        request = urllib.request.Request(
            f"{self.address}/chat/completions",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        # No redirects: urllib would send the key on to wherever they lead.
        opener = urllib.request.build_opener(_NoRedirects)
        try:
            with opener.open(request, timeout=self.seconds) as reply:
                raw = reply.read(LONGEST_REPLY + 1)
        except urllib.error.HTTPError as error:
            raise ModelFailed(f"{self.name} answered with HTTP status {error.code}") from None
        except (OSError, ValueError) as error:  # refused, too late, or a header that cannot be sent
            raise ModelFailed(f"{self.name} did not answer ({type(error).__name__})") from None
        try:
            said = json.loads(raw)["choices"][0]["message"]["content"] if len(raw) <= LONGEST_REPLY else None
        except (ValueError, LookupError, TypeError):
            said = None
        if not isinstance(said, str):
            raise ModelFailed(f"{self.name} sent no chat completion")
        return said


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: a redirect is an error."""
