"""Turn the bracketed stories of this folder into train/valid/test files in CoNLL column format.

    python data/newswire/convert.py            # writes train.txt, valid.txt, test.txt beside this file
    python data/newswire/convert.py --check    # only reads the stories and reports

A story file holds stories one after another. A line `## train lisbon-tram-strike` opens a story and
names its split; every other non-empty line is one sentence of ordinary prose with its names in
brackets: `[PER Ana Costa] of the [LOC Lisbon] council said [MISC Portuguese] trams run at 9.`
Only the standard library is used, so that the corpus can be rebuilt anywhere.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TYPES = ("PER", "ORG", "LOC", "MISC")
SPLITS = ("train", "valid", "test")

HEADER = re.compile(r"## (?P<split>\w+) (?P<story>[a-z0-9-]+)")
MENTION = re.compile(r"\[(?P<type>[A-Za-z]+) (?P<text>[^\[\]]+)\]")

# Tokens follow the Penn Treebank habits that CoNLL-2003 uses: clitics ('s, n't) and punctuation stand
# alone; abbreviations, decimals, scores (3-1), times (2:31.40) and hyphenated words stay whole.
ABBREVIATIONS = r"(?:Mr|Mrs|Ms|Dr|St|Sen|Rep|Gov|Gen|Col|Lt|Capt|Sgt|Rev|Prof|Co|Corp|Inc|Ltd|Jr|Sr|Bros|No|vs|Mt)\."
TOKEN = re.compile(
    rf"""
    \b{ABBREVIATIONS}
    | [A-Z]\.(?:[A-Z]\.)+(?:-\w+)?                   # U.S., U.S.-led
    | [A-Z]\.(?=\ [A-Z])                             # the initial in "J. Lee", not the end of "Group B."
    | [ap]\.m\.
    | \w+(?=n't\b)                                   # the word before a contracted "not"
    | n't\b
    | '(?:s|S|re|ve|ll|d|m)\b                        # clitics
    | (?:US|C|A|HK|NZ|S)?\$                          # currency signs
    | [+-]?\d+(?:[.,:/-]\d+)*(?:st|nd|rd|th|s|m|km|bn|pm|am)?(?:-\w+)*\b
    | (?:O|D|L|d|l|N)'[A-Z]\w+(?:-\w+)*              # O'Brien, D'Angelo
    | \w+(?:[-&]\w+)*                                # words, with inner hyphens and ampersands
    | --+ | \.\.\.
    | \S
    """,
    re.VERBOSE,
)


class StoryError(ValueError):
    """A line of a story file that cannot be read; the message says where and what was expected."""


def tokenize(text: str) -> list[str]:
    """Split prose into CoNLL-style tokens, in order; white space is dropped and nothing else is."""
    return TOKEN.findall(text)


def parse_sentence(line: str, where: str) -> list[tuple[str, str]]:
    """Read one bracketed sentence into (token, IOB2 tag) pairs.

    Raises:
        StoryError: a bracket that does not close, an unknown type, or a mention glued to a word.
    """
    pairs: list[tuple[str, str]] = []
    position = 0
    for mention in MENTION.finditer(line):
        if mention["type"] not in TYPES:
            raise StoryError(f"{where}: unknown type {mention['type']!r}; expected one of {', '.join(TYPES)}")
        before, after = line[: mention.start()], line[mention.end() :]
        if re.search(r"[\w-]$", before) or re.match(r"[\w-]", after):
            raise StoryError(
                f"{where}: {mention[0]!r} touches a word or hyphen; put the whole token inside the brackets "
                f"([MISC German-born], not [MISC German]-born)"
            )
        pairs += _outside(line[position : mention.start()], where)
        tokens = tokenize(mention["text"])
        pairs += [(token, f"{'I' if i else 'B'}-{mention['type']}") for i, token in enumerate(tokens)]
        position = mention.end()
    pairs += _outside(line[position:], where)
    return pairs


def _outside(text: str, where: str) -> list[tuple[str, str]]:
    if "[" in text or "]" in text:
        raise StoryError(f"{where}: a bracket does not match in {text.strip()!r}; expected [TYPE words]")
    return [(token, "O") for token in tokenize(text)]


def desk_of(path: Path) -> str:
    """The desk that wrote a story file: `sport-1.txt` and `sport-2.txt` come from sport."""
    return path.stem.split("-")[0]


def read_stories(folder: Path) -> dict[str, list[tuple[str, list[list[tuple[str, str]]]]]]:
    """Read every story file of a folder: split -> (desk, story) pairs; a story is sentences of (token, tag) pairs."""
    corpus: dict[str, list] = {split: [] for split in SPLITS}
    names: dict[str, str] = {}
    for path in sorted(folder.glob("*.txt")):
        story: list | None = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            where = f"{path.name}:{number}"
            if not line.strip():
                continue
            if line.startswith("#"):
                header = HEADER.fullmatch(line.strip())
                if header is None or header["split"] not in SPLITS:
                    raise StoryError(f"{where}: expected '## train|valid|test story-name', found {line.strip()!r}")
                if header["story"] in names:
                    raise StoryError(f"{where}: story {header['story']!r} is already at {names[header['story']]}")
                names[header["story"]] = where
                story = []
                corpus[header["split"]].append((desk_of(path), story))
            elif story is None:
                raise StoryError(f"{where}: a sentence before the first '## split story-name' line")
            else:
                story.append(parse_sentence(line.strip(), where))
    return corpus


def write_columns(stories: list[tuple[str, list[list[tuple[str, str]]]]], path: Path) -> None:
    """Write stories as two columns (token, tag), a blank line after each sentence, DOCSTART and desk before each story."""
    blocks = []
    for desk, story in stories:
        blocks.append(f"-DOCSTART- {desk}\n")
        blocks += ["".join(f"{token} {tag}\n" for token, tag in sentence) for sentence in story]
    partial = path.with_suffix(".partial")
    partial.write_text("\n".join(blocks) + "\n", encoding="utf-8")
    partial.replace(path)


def main() -> None:
    """Convert the stories, and print what there is of each split."""
    here = Path(__file__).resolve().parent
    corpus = read_stories(here / "stories")
    for split, stories in corpus.items():
        sentences = [sentence for _, story in stories for sentence in story]
        counts = {t: sum(tag == f"B-{t}" for s in sentences for _, tag in s) for t in TYPES}
        tokens = sum(len(s) for s in sentences)
        print(f"{split:5} {len(stories):4} stories {len(sentences):5} sentences {tokens:6} tokens  {counts}")
        if "--check" not in sys.argv[1:]:
            write_columns(stories, here / f"{split}.txt")


if __name__ == "__main__":
    try:
        main()
    except StoryError as error:
        sys.exit(f"error: {error}")
