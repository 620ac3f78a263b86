"""YAML files that people edit by hand: plain values only, and no key twice. Used by `learner.quiz` and by the tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def read(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ValueError: the file cannot be opened, is not UTF-8 or not YAML, asks for Python objects, or gives a key twice,
            of which YAML would silently drop the first.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
            node = super().compose_mapping_node(anchor)
            seen = set()
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(None, None, f"the key {key.value[:60]!r} twice", key.start_mark)
                seen.add(key.value)
            return node

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader)
    except OSError as error:
        right = "; you need the right to read it: chmod a+r, or unpack the course again"
        remedy = right if isinstance(error, PermissionError) else ""
        raise ValueError(f"the file cannot be read ({error.strerror}){remedy}") from error
    except Exception as error:  # PyYAML raises what its constructors meet, such as ValueError for the date 2026-99-99
        raise ValueError(f"not valid YAML ({type(error).__name__}): {error}") from error
