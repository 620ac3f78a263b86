"""Folders of small models with random weights, as save_pretrained writes them: many kinds of encoders, and what is none."""

import json
from pathlib import Path

import torch
import transformers
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors, trainers

TEXTS = ["Anna Maier sings in the old town of Basel , and doesn't live there ( 3.5 % of all do ) ."] * 3
SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
NARROW = SIZE | {"embedding_size": 16}
ROBERTA = SIZE | {"max_position_embeddings": 66, "pad_token_id": 1}

ENCODERS = {
    "Bert": SIZE,
    "Roberta": ROBERTA,
    "XLMRoberta": ROBERTA,
    "Electra": NARROW,
    "Albert": NARROW,
    "ConvBert": NARROW | {"conv_kernel_size": 3, "head_ratio": 1},
    "RoFormer": NARROW,
    "MobileBert": NARROW | {"true_hidden_size": 16, "intra_bottleneck_size": 16, "num_feedforward_networks": 2},
    "DistilBert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "MPNet": SIZE,
    "DebertaV2": SIZE | {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["c2p", "p2c"]},
    "ModernBert": SIZE
    | {"pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3},
}


def tokenizer(kind: str) -> Tokenizer:
    """A tokenizer trained on a sentence: `"WordPiece"`, `"byte-level"`, `"split first"` or a scheme of SentencePiece."""
    special = list(SPECIAL.values())
    options = {"special_tokens": special, "show_progress": False}
    if kind == "WordPiece":
        made, trainer = (
            Tokenizer(models.WordPiece(unk_token="[UNK]")),
            trainers.WordPieceTrainer(vocab_size=200, **options),
        )
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    elif kind in ("byte-level", "split first"):
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        made = Tokenizer(models.BPE(unk_token="[UNK]"))
        trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, **options)
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=kind == "byte-level")
        if kind == "split first":  # as in Llama 3 and EuroBERT
            words = pre_tokenizers.Split(
                Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"), "isolated"
            )
            made.pre_tokenizer = pre_tokenizers.Sequence([words, made.pre_tokenizer])
    else:
        made, trainer = (
            Tokenizer(models.Unigram()),
            trainers.UnigramTrainer(vocab_size=90, unk_token="[UNK]", **options),
        )
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=kind)
    made.train_from_iterator(TEXTS, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    )
    return made


def save(folder: Path, model, made: Tokenizer, **changes) -> Path:
    """Write a model and its tokenizer; `changes` are for the tokenizer's configuration."""
    model.save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast"} | {f"{kind}_token": name for kind, name in SPECIAL.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | changes), encoding="utf-8")
    return folder


def small(kind: str, folder: Path, pieces: str = "WordPiece", **changes) -> Path:
    """A folder with a small model of that kind of transformers; `changes` are for its configuration."""
    made = tokenizer(pieces)
    config = getattr(transformers, f"{kind}Config")
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}Model")(
        config(**({"vocab_size": made.get_vocab_size()} | ENCODERS.get(kind, {}) | changes))
    )
    return save(folder, model, made)
