"""Small trainable parts for a frozen encoder, and what training them costs. Used by lessons 02 and 05.

`Bottlenecks` are the adapters of Houlsby et al. (2019). They hook into the encoder from outside: its own modules
and weights stay untouched, so one loaded encoder can serve many tasks, by `attach` and `detach`. `lora` is the
method of Hu et al. (2021) through the peft library, and `task_model` builds any of the ways to train that the lesson
compares.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from babyagi_lib.basics.arguments import check_whole
from babyagi_lib.models.heads import TaskModel
from babyagi_lib.models.saving import ModelError, full_path, load_weights, read_about, save_file
from babyagi_lib.sources.errors import SourceError, first_line

# What encoders call the layers that make queries and values: BERT and most, DistilBERT, DeBERTa, EuroBERT, MPNet.
QUERY_AND_VALUE = (
    ("query", "value"),
    ("q_lin", "v_lin"),
    ("query_proj", "value_proj"),
    ("q_proj", "v_proj"),
    ("q", "v"),
)

LORA_SCALE = 16  # alpha: what LoRA adds is B A x times alpha / rank; fixed, so that one learning rate suits all ranks


class Bottleneck(nn.Module):
    """One adapter: down to `size` numbers, a non-linearity, up again, and added to what came in.

    The way up starts at zero, so that a new adapter returns exactly its input. Houlsby et al. (2019, section 2.1) start
    near the identity; exactly at it is simpler.
    """

    def __init__(self, hidden_size: int, size: int) -> None:
        super().__init__()
        self.down = nn.Linear(hidden_size, size)
        self.up = nn.Linear(size, hidden_size)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, states: Tensor) -> Tensor:
        """(..., hidden) to (..., hidden)."""
        return states + self.up(nn.functional.gelu(self.down(states)))


class Bottlenecks(nn.Module):
    """Two adapters in every layer of an encoder, one behind attention and one behind the feed-forward part.

    Each acts on what its sub-layer puts out, before that is added to the residual stream and normalised, where
    Houlsby et al. (2019, figure 2) put them. An encoder that repeats one layer (ALBERT) repeats the adapters with it.

    Args:
        encoder: frozen by the caller (see `freeze`); only looked at here.
        size: the width of each bottleneck.

    Raises:
        SourceError: the encoder has no layers of attention and feed-forward part (see `layers`).
        ValueError: the size is not a whole number of at least 1.
    """

    def __init__(self, encoder: nn.Module, size: int) -> None:
        super().__init__()
        check_whole("size", size, 1)
        self.size = size
        self.layers = nn.ModuleList(Bottleneck(sublayer.out_features, size) for sublayer in sublayers(encoder))
        self._hooks: list[RemovableHandle] = []

    def attach(self, encoder: nn.Module) -> None:
        """Act on this encoder from now on.

        Raises:
            RuntimeError: these adapters are attached already.
        """
        if self._hooks:
            raise RuntimeError("these adapters are attached already: detach() them first")
        for sublayer, adapter in zip(sublayers(encoder), self.layers, strict=True):
            self._hooks.append(sublayer.register_forward_hook(lambda _, __, out, adapter=adapter: adapter(out)))

    def detach(self) -> None:
        """Leave the encoder as it was."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []


def layers(encoder: nn.Module) -> list[nn.Module]:
    """The layers of an encoder, first to last: modules of an attention part and a feed-forward part.

    An encoder that repeats one layer (ALBERT) has that layer once.

    Raises:
        SourceError: not as many were found as the configuration says.
    """
    found = [m for m in encoder.modules() if m is not encoder and all(len(part) > 1 for part in _parts(m))]
    expected = getattr(getattr(encoder, "config", None), "num_hidden_layers", None)
    if not found or len(found) not in (1, expected):
        raise SourceError(
            f"{type(encoder).__name__} is built in another way than the adapters here can use: {len(found)} layers of "
            f"linear attention and feed-forward parts were found, and its configuration says {expected}. They can use "
            f"BERT, RoBERTa, ELECTRA, ALBERT, DistilBERT, DeBERTa, MPNet, MobileBERT and ModernBERT."
        )
    return found


def sublayers(encoder: nn.Module) -> list[nn.Linear]:
    """The linear layer that ends each attention and each feed-forward part, from the first layer to the last.

    Raises:
        SourceError: as `layers`, or a feed-forward part is nowhere as wide as the states.
    """
    ends = []
    for layer in layers(encoder):
        attention, feed_forward = _parts(layer)
        # MobileBERT's layers are narrower inside: the feed-forward part ends where the states are as wide as before.
        wide = [part for part in feed_forward if part.out_features == encoder.config.hidden_size]
        if not wide:
            raise SourceError(f"{type(layer).__name__} has no linear layer that is as wide as the states")
        ends += [attention[-1], wide[-1]]
    return ends


def _parts(layer: nn.Module) -> tuple[list[nn.Linear], list[nn.Linear]]:
    """The linear layers inside a layer's attention part (a child that is called so), and those outside of it."""
    inside: list[nn.Linear] = []
    outside: list[nn.Linear] = []
    for name, child in layer.named_children():
        linear = [part for part in child.modules() if isinstance(part, nn.Linear)]
        (inside if "attn" in name or "attention" in name else outside).extend(linear)
    return inside, outside


def query_and_value(encoder: nn.Module) -> list[str]:
    """What the linear layers that make queries and values are called in this encoder.

    Raises:
        SourceError: it has none by any of the usual names, as where one layer makes queries, keys and values.
    """
    names = {name.split(".")[-1] for name, part in encoder.named_modules() if isinstance(part, nn.Linear)}
    for pair in QUERY_AND_VALUE:
        if names >= set(pair):
            return list(pair)
    raise SourceError(
        f"{type(encoder).__name__} has no separate linear layers for queries and values; it has "
        f'{", ".join(sorted(names))[:200]}. train="LoRA" adapts all of them.'
    )


def lora(encoder: nn.Module, rank: int, parts: str | list[str] = "all-linear") -> nn.Module:
    """Give linear layers of an encoder a trainable addition of low rank, and freeze all else (Hu et al. 2021, eq. 3).

    Args:
        encoder: changed in place; `merge_and_unload()` of the result gives back a plain encoder with the addition in
            its weights, `unload()` the one that came in.
        rank: of the addition.
        parts: names of the layers, such as `["query", "value"]`; all of them if not said.

    Returns:
        The encoder inside a peft model that is called like it.

    Raises:
        ValueError: the rank is not a whole number of at least 1.
    """
    check_whole("rank", rank, 1)
    from peft import LoraConfig, LoraModel  # slow to import, and needed nowhere else

    # Not get_peft_model: its wrapper asks transformers for a name that transformers has deprecated (peft 0.21).
    return LoraModel(encoder, LoraConfig(r=rank, lora_alpha=LORA_SCALE, target_modules=parts), "default")


def task_model(encoder: nn.Module, head: nn.Module, train: str, size: int = 0) -> TaskModel:
    """Put a head on an encoder and leave trainable only what is asked for; the head always is.

    Args:
        encoder: frozen or changed in place, so pass a copy if it is needed elsewhere.
        head: such as `heads.TokenHead`.
        train: one of the names below.
        size: the width of each bottleneck, or LoRA's rank.

    Raises:
        ValueError: an unknown name in `train`, or a size less than 1 where one is needed.
        SourceError: the encoder is built in a way that `train` cannot use; it is as it was.
    """
    adapters = None
    if train == "head only":
        freeze(encoder)
    elif train == "last two layers":
        last = layers(encoder)[-2:]
        if len(last) < 2:
            raise SourceError(
                f"{type(encoder).__name__} has one layer (or repeats one, as ALBERT does): there are no last two to train"
            )
        freeze(encoder)
        for layer in last:
            layer.requires_grad_(True)
    elif train == "bottleneck":
        adapters = Bottlenecks(encoder, size)
        freeze(encoder)
        adapters.attach(encoder)
    elif train == "LoRA":
        encoder = lora(encoder, size)
    elif train == "LoRA, query and value":
        encoder = lora(encoder, size, query_and_value(encoder))
    elif train == "everything":
        encoder.requires_grad_(True)
    else:
        raise ValueError(f"{train!r} is no way to train that task_model knows")
    return TaskModel(encoder, head, adapters)


def freeze(module: nn.Module) -> None:
    """Exclude every parameter of this module from training."""
    module.requires_grad_(False)


@dataclass(frozen=True)
class Count:
    """Parameters of a model: how many there are, and how many of them are trained."""

    total: int
    trainable: int

    @property
    def share(self) -> float:
        """Trainable parameters as a share of all."""
        return self.trainable / self.total


def count_parameters(model: nn.Module) -> Count:
    """Count every parameter tensor once, also where two modules share it."""
    parameters = list(model.parameters())  # each tensor once
    return Count(sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad))


@dataclass(frozen=True)
class Memory:
    """Bytes that one training step has to hold, in float32.

    The total is an upper bound: the backward pass frees activations while it makes gradients.

    Attributes:
        weights: all parameters.
        gradients: one number per trainable parameter.
        optimizer: AdamW's two averages per trainable parameter.
        activations: what the forward pass keeps for the backward pass.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All four together."""
        return self.weights + self.gradients + self.optimizer + self.activations


def training_memory(model: nn.Module, batch: dict[str, Tensor]) -> Memory:
    """Count what a training step of AdamW on this batch has to hold, by asking autograd what it keeps.

    Every tensor that autograd saves is counted once by its storage; parameters among them are not counted again. The
    same model and batch give the same number on every machine. Temporary buffers and the allocator's rounding are not
    counted; mixed precision would about halve the activations.

    Args:
        model: in training mode or not, as it would be used.
        batch: what its forward takes, on the model's device.
    """
    parameters = list(model.parameters())
    own = {p.untyped_storage().data_ptr() for p in parameters}
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> None:  # nothing will be unpacked: there is no backward pass
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage  # alive until counted: a freed address may be used again

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda nothing: nothing):
        model(**batch)
    activations = sum(storage.nbytes() for storage in kept.values())
    trainable = sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)
    return Memory(sum(p.numel() * p.element_size() for p in parameters), trainable, 2 * trainable, activations)


# --- saving -----------------------------------------------------------------------------------------------


def fingerprint(module: nn.Module) -> str:
    """Hex sha256 over the names, shapes and bytes of a module's weights: equal only if no weight differs by a bit."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save_task(
    path: str | Path, adapters: Bottlenecks, head: nn.Module, encoder: nn.Module, classes: Iterable[str]
) -> Path:
    """Write adapters and head of one task to one safetensors file, whole or not at all.

    The file also holds the fingerprint of the encoder they were trained on, and the names of the head's answers.

    Raises:
        ModelError: the file cannot be written; if there was one, it is as it was.
    """
    about = {"encoder": fingerprint(encoder), "size": str(adapters.size), "classes": json.dumps(list(classes))}
    return save_file(path, _together(adapters, head), about)


def load_task(path: str | Path, head: type[nn.Module], encoder: nn.Module) -> tuple[Bottlenecks, nn.Module, list[str]]:
    """Read what `save_task` wrote, for an encoder that is already loaded.

    Args:
        path: the file.
        head: the class of the head, such as `heads.TokenHead`.
        encoder: the one the adapters were trained on, bit for bit.

    Returns:
        The adapters (not attached yet), the head, and the names of its answers.

    Raises:
        ModelError: the file is missing, is no saved task, or belongs to another encoder or kind of head.
    """
    path = full_path(path)
    about = read_about(path, ("encoder", "size", "classes"), "saved task", "save_task")
    found = fingerprint(encoder)
    if about["encoder"] != found:
        raise ModelError(
            f"{path} was trained on another encoder (fingerprint {about['encoder'][:8]}, this one is {found[:8]}); "
            f"adapters only fit the weights they were trained on"
        )
    try:
        classes = json.loads(about["classes"])
        adapters = Bottlenecks(encoder, int(about["size"]))
        hidden = encoder.config.hidden_size
        made = head(hidden, len(classes)) if classes else head(hidden)
        load_weights(path, _together(adapters, made))
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} does not fit a {head.__name__} and bottlenecks of this encoder ({first_line(error)}): load it with "
            f"the class of head that it was saved with, or save it once more with save_task"
        ) from error
    return adapters.eval(), made.eval(), classes


def _together(adapters: Bottlenecks, head: nn.Module) -> nn.Module:
    """The parts of a task as one module, whose weights have the names they are saved by."""
    return nn.ModuleDict({"adapters": adapters, "head": head})
