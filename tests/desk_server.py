"""The help desk in a process of its own, with an agent that needs no model. Used by test_desk.

    python tests/desk_server.py PORT STORE KEY EXPLORE

"clear" in a message makes the agent sure of the first intent that the message names, "unclear" torn between three; else it knows
nothing.
"""

import sys

import numpy as np

from babyagi_lib.apps.desk.answers import load_answers
from babyagi_lib.apps.desk.server import Settings, create
from babyagi_lib.apps.web import Limits


class WordAgent:
    """Reads key words."""

    def __init__(self):
        self.names = [*sorted(load_answers()), "out_of_scope"]

    def probabilities(self, texts):
        table = np.full((len(texts), len(self.names)), 1 / len(self.names))
        for row, text in zip(table, texts, strict=True):
            named = next((i for i, name in enumerate(self.names) if name in text), 0)
            if "unclear" in text:
                row[:] = 0.1 / (len(row) - 3)
                row[(named + np.arange(3)) % (len(row) - 1)] = 0.32, 0.3, 0.28
            elif "clear" in text:
                row[:] = 0.05 / (len(row) - 1)
                row[named] = 0.95
        return table


def serve(port, store, key, explore):
    import uvicorn

    settings = Settings(explore=explore, rate=1000.0, burst=1000, limits=Limits(rate=5000.0, burst=5000))
    app = create(WordAgent(), store, settings, key)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, proxy_headers=False)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]))
