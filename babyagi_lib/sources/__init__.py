"""Where models and corpora come from. Used by every notebook.

An encoder or a corpus has a name, and a name means one thing only:

- `"embedded"` (encoder), `"newswire"`, `"support_intents"` or `"python-manual"` (corpora): comes with the course, works
  offline, checked by hash;
- an existing folder or file;
- anything else is a name on the Hugging Face hub, and is the only case that uses the network.

Nothing falls back silently: what cannot be loaded or used is a `SourceError` that says what to do instead, and a line or
row that cannot be read is a `CorpusError` that says which.
"""

from babyagi_lib.sources.base import (
    CorpusError,
    SourceError,
    check_manifest,
    data_folder,
    is_folder_name,
    published,
    sha256,
)
from babyagi_lib.sources.encoders import (
    EMBEDDED_PACKAGE,
    EMBEDDED_REQUIREMENT,
    EMBEDDED_WEIGHTS_SHA256,
    embedded_folder,
    load_encoder,
)
from babyagi_lib.sources.language_models import (
    LANGUAGE_MODEL_INSTALL,
    LANGUAGE_MODEL_PACKAGE,
    LANGUAGE_MODEL_SHA256,
    has_language_model,
    load_language_model,
)
from babyagi_lib.sources.messages import load_intents, load_teams, read_messages
from babyagi_lib.sources.news import load_ner, load_topics, read_conll
from babyagi_lib.sources.text import load_text, python_manual, without_repetitions

__all__ = [
    "EMBEDDED_PACKAGE",
    "EMBEDDED_REQUIREMENT",
    "EMBEDDED_WEIGHTS_SHA256",
    "LANGUAGE_MODEL_INSTALL",
    "LANGUAGE_MODEL_PACKAGE",
    "LANGUAGE_MODEL_SHA256",
    "CorpusError",
    "SourceError",
    "check_manifest",
    "data_folder",
    "embedded_folder",
    "has_language_model",
    "is_folder_name",
    "load_encoder",
    "load_intents",
    "load_language_model",
    "load_ner",
    "load_teams",
    "load_text",
    "load_topics",
    "published",
    "python_manual",
    "read_conll",
    "read_messages",
    "sha256",
    "without_repetitions",
]
