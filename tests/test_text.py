"""Words to pieces and back is exact for any words and tags; scores agree with seqeval and with arithmetic."""

import re
import unicodedata
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from babyagi_lib.text import iob2, wordpieces

NAMES = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]

# Anything a corpus could hold as a word: letters of all scripts, emoji, lone combining marks, control and
# zero-width characters (which the tokenizer's normaliser removes altogether), and words of hundreds of pieces.
words = st.one_of(
    st.text(min_size=1, max_size=12),
    st.sampled_from(
        ["\u200b", "\u00ad", "\x07", "👩‍🚀", "🇬🇭", "é́́", "don't", "U.S.-led", "[MASK]", "[SEP]", "##ing", "中文", "ﬁ"]
    ),
    st.integers(20, 700).map(lambda n: "x1" * n),
)
sentences = st.lists(
    st.lists(st.tuples(words, st.sampled_from(NAMES)), max_size=40).map(
        lambda pairs: tuple(map(list, zip(*pairs, strict=True))) or ([], [])
    ),
    max_size=5,
)


@given(sentences, st.integers(3, 80))
@example([(["\u200b", "Accra"], ["B-PER", "B-LOC"])], 3)
@example([(["x1" * 49], ["B-PER"])], 10)
@example([([], [])], 10)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_alignment_round_trip_is_exact(tokenizer, corpus, max_pieces):
    """A model that predicts every label right gives back every tag of every word, however it had to be cut."""
    encoded = wordpieces.encode([w for w, _ in corpus], [t for _, t in corpus], NAMES, tokenizer, max_pieces)
    assert wordpieces.decode(encoded, one_hot([w["labels"] for w in encoded.windows]), NAMES) == [t for _, t in corpus]
    for window in encoded.windows:
        assert len(window["input_ids"]) == len(window["labels"]) == len(window["case_ids"]) <= max_pieces
        assert window["labels"][0] == window["labels"][-1] == wordpieces.IGNORE
    assert sum(label != wordpieces.IGNORE for w in encoded.windows for label in w["labels"]) == sum(
        len(w) for w, _ in corpus
    )


@given(st.lists(st.lists(words, min_size=1, max_size=20), min_size=1, max_size=3))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_encoding_without_tags_still_finds_every_word(tokenizer, corpus):
    encoded = wordpieces.encode(corpus, None, NAMES, tokenizer, 20)
    answers = one_hot([[3] * len(window["input_ids"]) for window in encoded.windows])
    assert wordpieces.decode(encoded, answers, NAMES) == [["B-PER"] * len(w) for w in corpus]


def one_hot(windows):
    """Logits of a model that is sure of the given tag indices (anything where there is no label)."""
    return [np.eye(len(NAMES))[[max(label, 0) for label in labels]] * 9 for labels in windows]


logits = st.integers(1, 6).flatmap(
    lambda n: st.lists(
        st.lists(st.floats(-5, 5, width=32), min_size=len(NAMES), max_size=len(NAMES)), min_size=n, max_size=n
    )
)


@given(logits)
@settings(max_examples=100)
def test_the_best_valid_path_is_the_best_of_all_valid_paths(rows):
    """Against trying every one of the up to 15,625 sequences."""
    scores = np.array(rows)

    def valid(path):
        return all(NAMES[b][0] != "I" or NAMES[a][2:] == NAMES[b][2:] for a, b in zip((0, *path), path, strict=False))

    def total(path):
        return sum(scores[i, tag] for i, tag in enumerate(path))

    found = iob2.best_valid_path(scores, NAMES)
    best = max((p for p in product(range(len(NAMES)), repeat=len(rows)) if valid(p)), key=total)
    assert valid(tuple(found)) and total(found) == pytest.approx(total(best), abs=1e-9)
    greedy = tuple(scores.argmax(axis=1))
    assert not valid(greedy) or total(found) == pytest.approx(total(greedy))


def test_the_best_valid_path_of_nothing_and_of_an_impossible_start():
    assert iob2.best_valid_path(np.empty((0, 5)), NAMES) == []
    assert iob2.best_valid_path(np.array([[0.0, 1.0, 9.0, 0.0, 0.0]]), NAMES) == [1], "I-LOC cannot begin a sentence"


def test_what_does_not_fit_is_reported(tokenizer):
    fits = wordpieces.encode([["a", "b"]], [["O", "O"]], NAMES, tokenizer, 10)
    assert "whole" in fits.report() and not fits.split and not fits.cut
    long = wordpieces.encode([["a"] * 30, ["x1" * 40]], [["O"] * 30, ["O"]], NAMES, tokenizer, 10)
    assert long.split == [0] and long.cut == [(1, 0)]
    assert "1 sentence(s) too long" in long.report() and "1 word(s)" in long.report()


def test_two_windows_are_a_split_and_special_tokens_have_no_case(tokenizer):
    encoded = wordpieces.encode([["Anna"] * 10], [["O"] * 10], NAMES, tokenizer, 8)
    assert len(encoded) == 2 and encoded.split == [0]
    assert all(window["case_ids"] == [4, *[1] * (len(window["case_ids"]) - 2), 4] for window in encoded.windows)


def test_a_long_sentence_is_cut_into_pieces_to_its_end(tokenizer):
    """The tokenizer itself would stop at 512 pieces."""
    words = ["Accra", "Szczecin"] * 400
    alone = [wordpieces.word_pieces([word], tokenizer)[0] for word in words[:2]]
    assert wordpieces.word_pieces(words, tokenizer) == alone * 400


def test_first_piece_of_each_word_is_its_own(tokenizer):
    """The labelled pieces are the ones the tokenizer itself maps to the words' beginnings."""
    sentence = ["Ouagadougou", "'s", "Szczecin-born", "mayor"]
    encoded = wordpieces.encode([sentence], [["B-LOC", "O", "O", "O"]], NAMES, tokenizer)
    batch = tokenizer(sentence, is_split_into_words=True)
    assert encoded.windows[0]["input_ids"] == batch["input_ids"]
    first = [w is not None and (i == 0 or batch.word_ids()[i - 1] != w) for i, w in enumerate(batch.word_ids())]
    assert [label != wordpieces.IGNORE for label in encoded.windows[0]["labels"]] == first


def test_errors_name_the_sentence_and_the_tag(tokenizer):
    with pytest.raises(ValueError, match="sentence 1 has 2 words and 1 tags"):
        wordpieces.encode([["a"], ["a", "b"]], [["O"], ["O"]], NAMES, tokenizer)
    with pytest.raises(ValueError, match="sentence 0 has tags that the model does not know: B-GENE"):
        wordpieces.encode([["a"]], [["B-GENE"]], NAMES, tokenizer)
    with pytest.raises(ValueError, match="room"):
        wordpieces.encode([["a"]], [["O"]], NAMES, tokenizer, 2)


@pytest.mark.parametrize(
    ("word", "case"),
    [
        ("the", 0),
        ("Accra", 1),
        ("A", 1),
        ("NATO", 2),
        ("UN", 2),
        ("iPhone", 3),
        ("McKay", 3),
        ("3-1", 4),
        ("O'Brien", 3),
        ("", 4),
        ("中", 0),
    ],
)
def test_case_of(word, case):
    assert wordpieces.case_of(word) == case


tag_sequences = st.lists(st.sampled_from([*NAMES, "B-MISC", "I-MISC"]), max_size=15)


@given(tag_sequences.filter(len))
@settings(max_examples=500)
def test_entities_are_seqevals(tags):
    assert iob2.entities(tags) == [(kind, start, end + 1) for kind, start, end in get_entities(tags)]


@given(st.lists(tag_sequences.filter(len), min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_scores_are_seqevals(gold, draw):
    predicted = [[draw.choice(NAMES) if draw.random() < 0.3 else tag for tag in tags] for tags in gold]
    found = iob2.score(gold, predicted)
    assert found.entity_f1 == pytest.approx(f1_score(gold, predicted, zero_division=0))
    assert found.entity_precision == pytest.approx(precision_score(gold, predicted, zero_division=0))
    assert found.entity_recall == pytest.approx(recall_score(gold, predicted, zero_division=0))


def test_scores_of_a_case_done_by_hand():
    gold = [["B-PER", "I-PER", "O", "B-LOC", "O", "O"]]
    predicted = [["B-PER", "O", "O", "B-LOC", "O", "B-LOC"]]
    found = iob2.score(gold, predicted)
    assert found.entity_precision == pytest.approx(1 / 3)
    assert found.entity_recall == pytest.approx(1 / 2)
    assert found.token_accuracy == pytest.approx(4 / 6)
    assert found.always_o_accuracy == pytest.approx(3 / 6)
    assert found.token_f1_without_o == pytest.approx(2 * 2 / (3 + 3))
    types, table = iob2.confusion(gold, predicted)
    assert types == ["LOC", "PER", "O"]
    assert table.tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 2]]


def test_scores_of_another_case_done_by_hand():
    """Numbers of which none is twice or half another."""
    gold = [["B-PER", "I-PER", "I-PER", "O", "B-LOC", "O", "O", "O", "O"]]
    predicted = [["B-PER", "I-PER", "I-PER", "B-LOC", "O", "O", "O", "O", "O"]]
    found = iob2.score(gold, predicted)
    assert found.token_accuracy == pytest.approx(7 / 9)
    assert found.always_o_accuracy == pytest.approx(5 / 9)
    assert found.token_f1_without_o == pytest.approx(2 * 3 / (4 + 4))


def test_scores_cannot_be_changed():
    with pytest.raises(AttributeError):
        iob2.score([["O"]], [["O"]]).entity_f1 = 1.0


def test_scores_of_nothing_are_zero():
    assert iob2.score([["O"]], [["O"]]).entity_f1 == 0
    assert iob2.score([], []).token_accuracy == 0


def test_lengths_must_agree():
    with pytest.raises(ValueError):
        iob2.score([["O", "O"]], [["O"]])


def test_tag_set_has_both_prefixes_of_every_type_and_o_first():
    assert iob2.tag_set([["O", "I-PER"], ["B-LOC"]]) == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


@given(st.text(max_size=60))
def test_split_words_loses_nothing_but_space(text):
    assert "".join("".join(wordpieces.split_words(text)).split()) == "".join(text.split())


letters = st.text(
    st.characters(categories=["Lu", "Ll", "Lo", "Lm"], exclude_characters="sS\u02bc"), min_size=1, max_size=6
)
marks = st.text(st.characters(categories=["Mn", "Mc", "Me"]), max_size=2)
spoken = st.lists(st.tuples(letters, marks), min_size=1, max_size=3).map(lambda parts: "".join(a + b for a, b in parts))


@given(st.lists(spoken, min_size=1, max_size=5), st.sampled_from(["NFC", "NFD", "NFKC"]))
@example(["José"], "NFD")
@example(["मोदी", "दिल्ली", "में"], "NFC")
@example(["Ba\u00adsel", "می\u200cخواهم"], "NFC")
def test_marks_and_joiners_belong_to_their_letters(words, form):
    """Words of letters and marks of any script come back whole, in any normal form."""
    words = [unicodedata.normalize(form, word) for word in words]
    assume(all(re.fullmatch(r"[^\W_].*", word) and not re.search(r"\s", word) for word in words))
    # NFKC takes some letters apart: \u013f becomes L and a middle dot, which is punctuation at the end of a word.
    assume(all(unicodedata.category(letter)[0] in "LMC" for word in words for letter in word))
    assert wordpieces.split_words(" ".join(words)) == words
    assert wordpieces.split_words(" , ".join(words)) == " , ".join(words).split(" ")
    assert wordpieces.split_words(f"({words[0]})") == ["(", words[0], ")"]


@given(spoken, st.sampled_from("'\u2019\uff07"), st.sampled_from("sS"))
def test_s_stands_alone_behind_every_apostrophe(word, apostrophe, letter):
    assume(re.fullmatch(r"[^\W_].*", word))
    assert wordpieces.split_words(f"{word}{apostrophe}{letter} bank") == [word, apostrophe + letter, "bank"]


@given(st.integers(0, 10**12), st.integers(0, 999))
def test_a_number_is_one_word(whole, part):
    for number in (f"{whole:,}", f"{whole:,}.{part}", f"{whole}.{part}", f"{whole},{part}", f"{whole % 24}:{part:02}"):
        assert wordpieces.split_words(f"about {number}, she said") == ["about", number, ",", "she", "said"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a, b,c 5, 6", ["a", ",", "b", ",", "c", "5", ",", "6"]),
        ("zero\u200bwidth", ["zero", "\u200b", "width"]),
        ("don’t AT&T rock'n'roll", ["don’t", "AT&T", "rock'n'roll"]),
        ("players’ 'quoted'", ["players", "’", "'", "quoted", "'"]),
        ("12:x at:3", ["12", ":", "x", "at", ":", "3"]),
    ],
)
def test_split_words_by_hand(text, words):
    assert wordpieces.split_words(text) == words


def test_split_words_on_news():
    assert wordpieces.split_words("Ana O'Brien's U.S. tour: 3.5% up.") == [
        "Ana",
        "O'Brien",
        "'s",
        "U.S.",
        "tour",
        ":",
        "3.5",
        "%",
        "up",
        ".",
    ]
