"""What test_search lets several processes compute; they import it by its name."""

import os
import time
from pathlib import Path

import numpy as np

SPACE = {"C": (0.01, 100.0, "log"), "kind": ["a", "b"], "number": (1, 9)}


def noisy(parameters, seed):
    """A value that depends on the parameters and on the seed."""
    best = -((np.log10(parameters["C"]) - 1) ** 2) + (parameters["kind"] == "b") - 0.01 * parameters["number"]
    return best + 0.1 * np.random.default_rng(seed).normal()


def slow(parameters, seed):
    """The same, slowly enough for two processes to share the work."""
    time.sleep(0.03)
    return noisy(parameters, seed)


def killed(parameters, seed):
    """The same, but the process dies at the fifth trial of the file that counts them."""
    with Path(os.environ["COUNT"]).open("a+", encoding="utf-8") as file:
        file.write(".")
        file.flush()
        if file.tell() == 5:
            os._exit(9)
    return noisy(parameters, seed)
