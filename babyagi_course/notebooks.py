"""Notebooks as JSON: their cells, and what their outputs hold."""

from __future__ import annotations

import re
from typing import Any

from babyagi_lib.learner.publishing import MIME
from babyagi_lib.learner.widgets import VIEW

# Where a lesson states its cost; `refresh` writes the measured time and memory between the marks.
COST = re.compile(r"(<!-- cost -->).*?(<!-- /cost -->)", re.DOTALL)

# The address that a notebook installs the course from; `links` writes it.
ORIGIN = re.compile(r"git\+https://[^\s\"]+")

# The line under an exercise's heading: its difficulty and its minutes.
DIFFICULTY = re.compile(r"^\*Difficulty ([123]) of 3, about (\d+) minutes\.\*", re.MULTILINE)


def source(cell: dict) -> str:
    """A cell's text, which the format allows to be a string or a list of lines."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def tags(cell: dict) -> list[str]:
    """A cell's tags."""
    return cell.get("metadata", {}).get("tags", [])


def figures(notebook: dict) -> list[dict]:
    """Every figure a notebook's outputs hold, in order, as `publishing.publish` wrote them."""
    return [
        figure
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        for figure in output.get("data", {}).get(MIME, {}).get("figures", [])
    ]


def lasting_outputs(cell: dict) -> list[dict]:
    """A cell's outputs as a reader can use them.

    Without stderr (progress, warnings) and without widgets, which need a kernel: of an explorer the picture stays,
    of a quiz its HTML, of a progress bar nothing. What was printed in one go is one output, however the kernel happened to cut it up.
    """
    outputs: list[dict] = []
    for output in cell["outputs"]:
        if output.get("name") == "stderr":
            continue
        if VIEW in output.get("data", {}):
            if not {"image/png", "text/html"} & output["data"].keys():
                continue
            output = output | {"data": {kind: data for kind, data in output["data"].items() if kind != VIEW}}
        if outputs and output["output_type"] == outputs[-1]["output_type"] == "stream":
            text = "".join([*outputs[-1]["text"], *output["text"]])
            outputs[-1] = outputs[-1] | {"text": text.splitlines(keepends=True)}
        else:
            outputs.append(output)
    return outputs


def fault(cell: Any) -> str | None:
    """What keeps part of a notebook from being a cell, if anything does."""
    match cell:
        case {"cell_type": "markdown" | "raw", "source": text, "metadata": dict(metadata)}:
            outputs = []
        case {"cell_type": "code", "source": text, "metadata": dict(metadata), "outputs": list(outputs)}:
            pass
        case _:
            return "expected cell_type (code, markdown or raw), source and metadata, and outputs if it is code"
    if not isinstance(text, str) and not _is_list_of_text(text):
        return "its source must be text, or a list of lines"
    if not _is_list_of_text(metadata.get("tags", [])):
        return "its tags must be a list of text"
    if not all(isinstance(output, dict) and isinstance(output.get("data", {}), dict) for output in outputs):
        return "its outputs must be objects"
    return None


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
