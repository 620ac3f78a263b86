"""In-context learning: a causal language model classifies by how it would continue a prompt. Used by lesson 05.

The examples are not trained on; they are text in front of the question (Brown et al. 2020). `prompt` writes that text,
`label_log_likelihoods` reads from the model how probable each label is as its continuation, and `calibrate` removes
the model's preference for some labels, which shows in its answer to a question without content (Zhao et al. 2021).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CONTENT_FREE = ("N/A", "", "[MASK]")  # the three of Zhao et al. 2021, section 5


def prompt(messages: Sequence[str], labels: Sequence[str], names: Sequence[str]) -> str:
    """The task and its examples as text; `question` of a message continues it.

    Args:
        messages: the examples, in the order in which they will be read; none for a zero-shot prompt.
        labels: the answer to each.
        names: all possible answers, for the first line.
    """
    task = f"Every message to the help desk goes to one of its teams: {', '.join(names)}."
    return task + "".join(question(m) + answer(a) for m, a in zip(messages, labels, strict=True))


def question(message: str) -> str:
    """One message as the prompt asks about it, without an answer.

    The line breaks come first, not last: a tokenizer may make one piece of two line breaks at the end of a text, and two
    pieces of them before a word. Then the pieces of two texts are not the pieces of both together.
    """
    return f"\n\nMessage: {' '.join(message.split())}\nTeam:"


def answer(label: str) -> str:
    """A label as it continues a question: the space belongs to the word behind it, as in the text the model learned."""
    return f" {label}"


@torch.no_grad()
def label_log_likelihoods(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    context: str,
    queries: Sequence[str],
    labels: Sequence[str],
) -> np.ndarray:
    """How probable each label is as the continuation of the context and a query.

    The log-probability of a label is the sum over its pieces (the chain rule), not their mean: so it is the probability
    of a text, which is what `calibrate` divides. That favours labels of few pieces. The mean would favour labels
    whose later pieces follow from the first. Where all labels are one piece long there is no difference.

    The context is read once. Its keys and values, all that later positions need of it, are kept (the KV cache), and so
    are each query's while the labels are tried.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer.
        context: what `prompt` wrote.
        queries: messages; each is asked by itself, not after the others.
        labels: the possible answers.

    Returns:
        (queries, labels) natural logarithms, float64.

    Raises:
        ValueError: cut into pieces as a whole, the text would have other pieces than its parts have; it is longer than
            what the model reads; or there are no labels.
    """
    if isinstance(queries, str) or isinstance(labels, str) or not labels:
        raise ValueError("expected a list of messages, and a list of one label or more")

    def pieces(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    start, endings = pieces(context), [pieces(answer(label)) for label in labels]
    longest = max(map(len, endings))
    # Shorter labels are padded with zeros at the end: no piece before them attends to them, and their scores are left out.
    padded = torch.tensor([ids + [0] * (longest - len(ids)) for ids in endings])
    counts = torch.arange(longest) < torch.tensor([len(ids) for ids in endings])[:, None]

    limit = getattr(model.config, "max_position_embeddings", None)
    read = model(torch.tensor([start]), use_cache=True, logits_to_keep=1).past_key_values
    found = []
    for message in queries:
        asked = pieces(question(message))
        for label, ending in zip(labels, endings, strict=True):
            if pieces(context + question(message) + answer(label)) != start + asked + ending:
                raise ValueError(f"the tokenizer joins a piece across the parts of the prompt before {label!r}")
        if limit is not None and len(start) + len(asked) + longest > limit:
            raise ValueError(
                f"the prompt has {len(start) + len(asked) + longest} pieces and the model reads {limit}; "
                "give it fewer or shorter examples"
            )
        cache = copy.deepcopy(read)  # reading on writes into it
        logits = model(torch.tensor([asked]), past_key_values=cache, logits_to_keep=1).logits[0, -1]
        scores = logits.double().log_softmax(dim=0)[padded[:, 0]]
        if longest > 1:
            cache.batch_repeat_interleave(len(labels))
            logits = model(padded[:, :-1], past_key_values=cache).logits  # (labels, longest - 1, vocabulary)
            next_pieces = logits.double().log_softmax(dim=2).gather(2, padded[:, 1:, None])[:, :, 0]
            scores = scores + (next_pieces * counts[:, 1:]).sum(dim=1)
        found.append(scores)
    return torch.stack(found).numpy() if found else np.empty((0, len(labels)))


def calibrate(scores: np.ndarray, content_free_scores: np.ndarray) -> np.ndarray:
    """Contextual calibration: divide by the probabilities for an input without content (Zhao et al. 2021, section 5).

    What the model answers to "N/A" after these examples is its bias towards labels that are frequent in English or in the
    prompt, or near the prompt's end. After dividing by it, all labels are equally probable for "N/A".

    Args:
        scores: (queries, labels) log-likelihoods.
        content_free_scores: (inputs, labels) log-likelihoods for content-free inputs, in the same context.

    Returns:
        (queries, labels) probabilities; each row sums to 1.
    """
    bias = probabilities(content_free_scores).mean(axis=0)
    weighed = probabilities(scores) / bias
    return weighed / weighed.sum(axis=1, keepdims=True)


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Log-likelihoods (..., labels) as probabilities among the labels alone."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
