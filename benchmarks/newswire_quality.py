"""How good is the newswire corpus? The outside check: train on it alone, test on CoNLL-2003.

    python benchmarks/newswire_quality.py ../conll2003

The same encoder and loop are trained on newswire's training sentences and on equally many drawn from CoNLL-2003's,
each with early stopping on its own validation set, and both are tested on CoNLL-2003's test set. The result goes to
`newswire_quality.json` beside this file, and the corpus card shows it.
"""

from __future__ import annotations

import argparse
import copy
import statistics

import results
import torch

from babyagi_lib.models import heads
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.news import load_ner
from babyagi_lib.text import iob2, wordpieces
from babyagi_lib.training.loop import fit
from babyagi_lib.training.prediction import predict

EPOCHS = 6
SEEDS = (0, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("conll", help="folder with CoNLL-2003's train, valid and test files")
    arguments = parser.parse_args()
    conll, newswire = load_ner(arguments.conll), load_ner("newswire")
    encoder, tokenizer = load_encoder()
    tag_names = iob2.tag_set(newswire["train"]["tags"])
    assert tag_names == iob2.tag_set(conll["train"]["tags"])
    size = len(newswire["train"])

    def encode(rows):
        return wordpieces.encode(list(rows["words"]), list(rows["tags"]), tag_names, tokenizer)

    def f1(model, rows, encoded) -> float:
        logits = predict(model, encoded.windows)
        return iob2.score(list(rows["tags"]), wordpieces.decode(encoded, logits, tag_names, valid=True)).entity_f1

    test = encode(conll["test"])
    valid = {
        "newswire": (newswire["valid"], encode(newswire["valid"])),
        "CoNLL-2003": (conll["valid"], encode(conll["valid"])),
    }
    runs: dict[str, list[float]] = {}
    for seed in SEEDS:
        for name, rows in (
            ("newswire", newswire["train"]),
            ("CoNLL-2003", conll["train"].shuffle(seed=seed).select(range(size))),
        ):
            windows = encode(rows).windows
            torch.manual_seed(seed)
            model = heads.TokenTagger(copy.deepcopy(encoder), tag_names, input_adapter=True)
            fit(
                model,
                windows,
                epochs=EPOCHS,
                batch_tokens=512,
                learning_rate=1e-4,
                head_learning_rate=2e-3,
                score=lambda m, name=name: f1(m, *valid[name]),
                seed=seed,
            )
            runs.setdefault(name, []).append(round(f1(model, conll["test"], test), 4))
            print(seed, name, runs[name][-1], flush=True)
    means = {name: statistics.mean(values) for name, values in runs.items()}
    results.write(
        "newswire_quality",
        title="The newswire corpus, tested on CoNLL-2003",
        data=f"CoNLL-2003 test, 3,453 sentences, after training on {size:,} sentences of each corpus for {EPOCHS} epochs",
        model=f"{results.MINILM}, with the input adapter",
        runs=[
            {
                "name": f"trained on {name}",
                "entity_f1_mean": round(means[name], 3),
                "entity_f1_by_seed": ", ".join(f"{value:.3f}" for value in values),
            }
            for name, values in runs.items()
        ],
        share=round(means["newswire"] / means["CoNLL-2003"], 3),
    )


if __name__ == "__main__":
    main()
