"""support_intents is what its card says: sizes, no repetition, no templates, built from its sources, as hard as told."""

import importlib.util
import re
from collections import Counter
from itertools import combinations

import pytest
from datasets import DatasetDict

from babyagi_lib.sources.errors import CorpusError
from babyagi_lib.sources.integrity import data_folder
from babyagi_lib.sources.messages import load_intents, load_teams, pooled, read_messages

FOLDER = data_folder() / "support_intents"


@pytest.fixture(scope="module")
def convert():
    spec = importlib.util.spec_from_file_location("convert_intents", FOLDER / "convert.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def messages(convert):
    return convert.read_messages(FOLDER)


def words(text):
    return re.findall(r"[a-z0-9']+", text.lower())


def test_sizes(messages):
    assert len(messages.pop("out_of_scope")) >= 100
    assert len(messages) == 24
    assert {len(texts) for texts in messages.values()} == {40}


def test_the_csv_files_are_what_the_messages_give(convert):
    for name, rows in convert.split(convert.read_messages(FOLDER)).items():
        assert read_messages(FOLDER / f"{name}.csv") == rows


def test_openings_differ(convert):
    for category, texts in convert.read_messages(FOLDER).items():
        most, count = Counter(tuple(words(text)[:2]) for text in texts).most_common(1)[0]
        assert count <= 3, (category, most)


def test_no_templates(convert):
    triples = []
    for texts in convert.read_messages(FOLDER).values():
        for text in texts:
            w = words(text)
            triples.append((set(zip(w, w[1:], w[2:], strict=False)), text))
    alike = [
        (a, b)
        for (x, a), (y, b) in combinations(triples, 2)
        if min(len(x), len(y)) > 3 and len(x & y) > 0.4 * min(len(x), len(y))
    ]
    assert alike == []


def test_lengths_vary(convert):
    for category, texts in convert.read_messages(FOLDER).items():
        lengths = [len(words(text)) for text in texts]
        if category != "out_of_scope":
            assert sum(n <= 7 for n in lengths) >= 7 and sum(n > 25 for n in lengths) >= 7, category


def test_no_address_or_number_of_a_real_person(convert):
    text = "\n".join(t for texts in convert.read_messages(FOLDER).values() for t in texts)
    assert all(address.endswith("@example.com") for address in re.findall(r"\S+@[\w.-]+\w", text))


def test_the_card_tells_how_hard_it_is():
    """The two figures of the card: word counts and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    corpus, teams = load_intents(), load_teams()
    table = TfidfVectorizer(sublinear_tf=True)
    seen, unseen = table.fit_transform(corpus["train"]["text"]), table.transform(corpus["test"]["text"])
    card = " ".join((FOLDER / "README.md").read_text(encoding="utf-8").split())
    for name, label in (("30% of the test messages", str), ("four teams for 63%", teams.get)):
        train, test = ([label(c) for c in corpus[s]["category"]] for s in ("train", "test"))
        score = LogisticRegression(C=10, max_iter=1000).fit(seen, train).score(unseen, test)
        assert name in card
        assert f"{score:.0%}" in name


def test_messages_of_all_splits_together():
    corpus = load_intents()
    texts, labels = pooled(corpus, 30, 1)
    assert len(set(texts)) == len(texts) == len(labels) == 24 * 30 + 104
    assert Counter(labels) == dict.fromkeys(load_teams(), 30) | {"out_of_scope": 104}
    of = {
        text: category
        for split in corpus.values()
        for text, category in zip(split["text"], split["category"], strict=True)
    }
    assert [of[text] for text in texts] == list(labels)
    assert set(pooled(corpus, 30, 2)[0]) != set(texts)
    with pytest.raises(CorpusError, match="16 messages each"):
        pooled(DatasetDict(train=corpus["train"].select(range(30))), 30, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello\n", "m.txt:1: a message before the first"),
        ("# nonsense\nHello\n", "m.txt:1: unknown category 'nonsense'"),
        ("# late\nHello\n\nhello\n", "m.txt:4: the same message is at m.txt:2"),
    ],
)
def test_a_bad_message_file_is_named(convert, tmp_path, text, said):
    (tmp_path / "intents.csv").write_text("category,team,meaning\nlate,orders,waits\n", encoding="utf-8")
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / "m.txt").write_text(text, encoding="utf-8")
    with pytest.raises(convert.MessageError) as error:
        convert.read_messages(tmp_path)
    assert str(error.value).startswith(said)
