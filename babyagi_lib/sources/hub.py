"""Names on the Hugging Face hub, the only sources that use the network.

Used by `encoders`, `news`, `text` and the doctor.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from babyagi_lib.sources.errors import SourceError, first_line

PATIENCE = 5.0  # seconds to wait for the hub's first response


@contextmanager
def hub() -> Iterator[None]:
    """For looking a name up on the Hugging Face hub: if the hub does not respond soon, only the local cache is used.

    The hub's own libraries retry for most of a minute before they report that there is no network.
    """
    import datasets.config
    from huggingface_hub import constants

    if not hub_fault():
        yield
        return
    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


def hub_fault() -> str:
    """Why the hub cannot be reached, or is not to be (`HF_HUB_OFFLINE`); empty if it can."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return "switched off by HF_HUB_OFFLINE"
    faults: list[str] = []

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=PATIENCE)
            faults.append("")
        except Exception as error:  # the transport library's own differ between versions; a proxy or certificate too
            faults.append(f"{type(error).__name__}: {first_line(error)}")

    # In a thread of its own: the timeout does not cover looking up the address, and holds for each address again.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return faults[0] if faults else f"no answer within {PATIENCE:g} seconds"


def from_hub(name: str, what: str, offline: str, **options: Any) -> Any:
    """What `datasets.load_dataset` returns for a name on the Hugging Face hub.

    Args:
        name: `owner/name`, or `owner/name:configuration` for one of several configurations.
        what: the kind of corpus, for the message.
        offline: the parameter that works without a network, for the message.
        options: for `load_dataset`.

    Raises:
        SourceError: it cannot be loaded, or has several configurations and none was named.
    """
    from datasets import load_dataset

    repository, _, configuration = name.partition(":")
    try:
        with hub():
            return load_dataset(repository, *filter(None, [configuration]), **options)
    except Exception as error:  # datasets raises many kinds, some of them private, for one and the same cause
        if several := re.search(r"available configs: \[(.*)\]", str(error)):
            first = several[1].split(",")[0].strip("' ")
            raise SourceError(
                f"{repository!r} has several configurations ({several[1][:200]}); name one of them behind a colon, "
                f"such as {f'{repository}:{first}'!r}"
            ) from error
        raise SourceError(
            f"The {what} {name!r} is not here as a file or folder, and could not be loaded from the Hugging Face hub "
            f"({type(error).__name__}: {first_line(error)}). {offline} works offline."
        ) from error
