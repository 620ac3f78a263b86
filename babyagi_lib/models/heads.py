"""What turns a pretrained encoder into a model for one task: an input layer and an output layer. Lessons 01, 02, 04, 05.

Three heads are the articles' "task-adaptation layer" at the output: `SentenceHead` answers once per sentence,
`TokenHead` once per piece, `SpanHead` points at the first and last piece of an answer. `TaskModel` is an encoder with
any of them. `TokenTagger` is one, the tagger of lesson 04, with an input layer that tells an uncased encoder the case of
each word.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from babyagi_lib.basics.labels import IGNORE
from babyagi_lib.models.saving import WEIGHTS_FILE, ModelError, full_path, load_weights, save_folder
from babyagi_lib.sources.encoders import TAGGER_FILE, check_encoder, load_tokenizer
from babyagi_lib.sources.errors import SourceError, first_line
from babyagi_lib.text.wordpieces import CASES

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def mean_pool(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Average the states of real pieces: (batch, pieces, hidden) and (batch, pieces) of 0 and 1 to (batch, hidden).

    A row without any real piece gets zeros.
    """
    real = attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


def without_dropout(model: nn.Module) -> nn.Module:
    """Switch dropout off everywhere in a model, and return it.

    Drawing a random number for every state takes a large share of a step's time, and an encoder that is tuned for a few
    epochs hardly overfits.
    """
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


class SentenceHead(nn.Module):
    """One answer per sentence: the mean of its pieces, then a linear layer."""

    def __init__(self, hidden_size: int, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_size, classes)

    def forward(self, states: Tensor, attention_mask: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """(batch, pieces, hidden) states to `logits` (batch, classes); with `labels` (batch,), the mean `loss` too."""
        logits = self.linear(self.dropout(mean_pool(states, attention_mask)))
        if labels is None:
            return {"logits": logits}
        return {"logits": logits, "loss": nn.functional.cross_entropy(logits.float(), labels)}


class TokenHead(nn.Module):
    """One answer per piece: a linear layer over every state."""

    def __init__(self, hidden_size: int, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_size, classes)

    def forward(self, states: Tensor, attention_mask: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """(batch, pieces, hidden) states to `logits` (batch, pieces, classes).

        With `labels` (batch, pieces) there is also `loss`, the mean cross-entropy over the pieces whose label is not
        `IGNORE`.
        """
        logits = self.linear(self.dropout(states))
        if labels is None:
            return {"logits": logits}
        loss = nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORE)
        return {"logits": logits, "loss": loss}


class SpanHead(nn.Module):
    """Two scores per piece: for being the first piece of an answer, and for being the last."""

    def __init__(self, hidden_size: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_size, 2)

    def forward(
        self, states: Tensor, attention_mask: Tensor, starts: Tensor | None = None, ends: Tensor | None = None
    ) -> dict[str, Tensor]:
        """(batch, pieces, hidden) states to `logits` (batch, pieces, 2); padding can be neither start nor end.

        With `starts` and `ends` (batch,), the positions of the first and last piece, there is also `loss`: the mean
        of two cross-entropies, each a choice among the pieces of the text.
        """
        logits = self.linear(self.dropout(states)).float()
        logits = logits.masked_fill(attention_mask.unsqueeze(-1) == 0, torch.finfo(logits.dtype).min)
        if starts is None:
            return {"logits": logits}
        loss = nn.functional.cross_entropy(logits[..., 0], starts) + nn.functional.cross_entropy(logits[..., 1], ends)
        return {"logits": logits, "loss": loss / 2}


class TaskModel(nn.Module):
    """An encoder, a head, and the adapters between them if there are any (they hook into the encoder themselves).

    Args:
        encoder: turns (batch, pieces) ids into (batch, pieces, hidden) states.
        head: turns states into answers.
        adapters: trained and saved with the head; see `adapters.Bottlenecks`.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module, adapters: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.adapters = adapters

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **answers: Tensor) -> dict[str, Tensor]:
        """What the head returns for the encoder's states; `answers` go to the head by name."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.head(states, attention_mask, **answers)


class InputAdapter(nn.Module):
    """A small embedding of each word's case, added to the encoder's input embeddings.

    It starts at zero, so at first the adapted model computes exactly what the encoder did before.

    Args:
        width: of the encoder's input embeddings; in ELECTRA, ALBERT and others it is less than the states' width.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.case = nn.Embedding(len(CASES), width)
        nn.init.zeros_(self.case.weight)

    def forward(self, embeddings: Tensor, case_ids: Tensor) -> Tensor:
        """(batch, pieces, width) embeddings and (batch, pieces) case indices to adapted embeddings."""
        return embeddings + self.case(case_ids)


class TokenTagger(TaskModel):
    """A task model that tags every piece, and that `save` and `load` keep with its tokenizer.

    Args:
        encoder: a pretrained encoder, as `load_encoder` returns it.
        tag_names: the tags in the order of the head's outputs.
        input_adapter: give the encoder the case of each word (see `InputAdapter`).
    """

    def __init__(self, encoder: PreTrainedModel, tag_names: list[str], input_adapter: bool = False) -> None:
        super().__init__(encoder, TokenHead(encoder.config.hidden_size, len(tag_names)))
        self.tag_names = list(tag_names)
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # a layer for whole sentences that no token uses: it would never get a gradient
        # Made last, so that with the same seed the head starts the same with and without it.
        self.input_adapter = InputAdapter(encoder.get_input_embeddings().weight.shape[1]) if input_adapter else None

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, case_ids: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Run the tagger on a padded batch.

        Args:
            input_ids, attention_mask, case_ids, labels: (batch, pieces) integers; labels are tag indices or
                `IGNORE`.

        Returns:
            `logits` (batch, pieces, tags), and `loss`, the mean cross-entropy over labelled pieces, if there
            are labels.
        """
        embeddings = self.encoder.get_input_embeddings()(input_ids)
        if self.input_adapter is not None:
            embeddings = self.input_adapter(embeddings, case_ids)
        states = self.encoder(inputs_embeds=embeddings, attention_mask=attention_mask).last_hidden_state
        return self.head(states, attention_mask, labels)

    def save(self, folder: str | Path, tokenizer: PreTrainedTokenizerBase) -> Path:
        """Write weights (safetensors), configuration and tokenizer to a folder, whole or not at all.

        Args:
            folder: a new folder, or one that holds a saved tagger, which is replaced. `~` is the home folder.
            tokenizer: the encoder's tokenizer.

        Returns:
            The folder's full path.

        Raises:
            ModelError: the folder cannot be written, holds other files, or is the one you work in; then it is as it was.
        """
        about = {"tag_names": self.tag_names, "input_adapter": self.input_adapter is not None}
        return save_folder(folder, self, TAGGER_FILE, about, (self.encoder.config, tokenizer))

    @classmethod
    def load(cls, folder: str | Path) -> tuple[TokenTagger, PreTrainedTokenizerBase]:
        """Read what `save` wrote, ready to predict.

        Raises:
            ModelError: the folder is missing, is not a saved tagger, or a file in it is damaged.
        """
        from transformers import AutoConfig, AutoModel

        folder = full_path(folder)
        for name in (TAGGER_FILE, "config.json", WEIGHTS_FILE, "tokenizer.json"):
            if not (folder / name).is_file():
                raise ModelError(f"{folder} is not a saved tagger: it has no {name}. Save one with TokenTagger.save.")
        try:
            tagger = json.loads((folder / TAGGER_FILE).read_text(encoding="utf-8"))
            names = tagger["tag_names"]
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise TypeError("tagger.json: tag_names is no list of names")
            model = cls(AutoModel.from_config(AutoConfig.from_pretrained(folder)), **tagger)
            load_weights(folder / WEIGHTS_FILE, model)
            tokenizer = load_tokenizer(str(folder), str(folder))
            check_encoder(model.encoder.eval(), tokenizer, str(folder))
        except SourceError as error:  # its message says what the encoder or the tokenizer lacks
            raise ModelError(str(error)) from error
        except Exception as error:  # each library raises errors of its own, older tokenizers a plain Exception
            raise ModelError(
                f"{folder} is a damaged tagger ({first_line(error)}): save it once more with TokenTagger.save."
            ) from error
        return model.eval(), tokenizer
