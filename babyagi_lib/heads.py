"""What is put on a pretrained encoder to give it a task: an input layer and an output layer. Used by lesson 04.

`TokenTagger` is the articles' "task-adaptation layer" for tagging: a linear output layer over every piece
and, if asked for, an input layer that gives an uncased encoder back the case of each word.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from babyagi_lib.sources import SourceError
from babyagi_lib.tagging import CASES, IGNORE

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class InputAdapter(nn.Module):
    """A small embedding of each word's case, added to the encoder's input embeddings.

    It starts at zero, so at first the adapted model computes exactly what the encoder did before.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.case = nn.Embedding(len(CASES), hidden_size)
        nn.init.zeros_(self.case.weight)

    def forward(self, embeddings: Tensor, case_ids: Tensor) -> Tensor:
        """(batch, pieces, hidden) embeddings and (batch, pieces) case indices to adapted embeddings."""
        return embeddings + self.case(case_ids)


class TokenTagger(nn.Module):
    """An encoder with a linear head over every piece.

    Args:
        encoder: a pretrained encoder, as `sources.load_encoder` returns it.
        tag_names: the tags in the order of the head's outputs.
        input_adapter: give the encoder the case of each word (see `InputAdapter`).
    """

    def __init__(self, encoder: PreTrainedModel, tag_names: list[str], input_adapter: bool = False) -> None:
        super().__init__()
        hidden = encoder.config.hidden_size
        self.tag_names = list(tag_names)
        self.encoder = encoder
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # a layer for whole sentences that no token uses: it would never get a gradient
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(hidden, len(tag_names))
        # Made last, so that with the same seed the head starts the same with and without it.
        self.input_adapter = InputAdapter(hidden) if input_adapter else None

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
        logits = self.head(self.dropout(states))
        if labels is None:
            return {"logits": logits}
        loss = nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORE)
        return {"logits": logits, "loss": loss}

    def save(self, folder: str | Path, tokenizer: PreTrainedTokenizerBase) -> Path:
        """Write weights (safetensors), configuration and tokenizer to a folder, whole or not at all."""
        from safetensors.torch import save_model

        folder = Path(folder)
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_model(self, str(partial / "model.safetensors"))
        self.encoder.config.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        tagger = {"tag_names": self.tag_names, "input_adapter": self.input_adapter is not None}
        (partial / "tagger.json").write_text(json.dumps(tagger, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> tuple[TokenTagger, PreTrainedTokenizerBase]:
        """Read what `save` wrote, ready to predict.

        Raises:
            SourceError: the folder is missing or is not a saved tagger.
        """
        from safetensors.torch import load_model
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        folder = Path(folder)
        if not (folder / "tagger.json").is_file():
            raise SourceError(f"{folder} is not a saved tagger: it has no tagger.json. Save one with TokenTagger.save.")
        tagger = json.loads((folder / "tagger.json").read_text(encoding="utf-8"))
        model = cls(AutoModel.from_config(AutoConfig.from_pretrained(folder)), **tagger)
        load_model(model, str(folder / "model.safetensors"))
        return model.eval(), AutoTokenizer.from_pretrained(folder)
