"""Where models and corpora come from. Used by every notebook.

An encoder or a corpus has a name, and a name means one thing only:

- `"embedded"` (encoder), `"newswire"`, `"support_intents"`, `"catalogue"` or `"python-manual"` (corpora): comes with the course,
  works offline, checked by hash;
- an existing folder or file;
- anything else is a name on the Hugging Face hub, and is the only case that uses the network.

Nothing falls back silently: what cannot be loaded or used is a `SourceError` that says what to do instead, and a line or
row that cannot be read is a `CorpusError` that says which. Imports no torch.
"""
