"""The label that no loss counts. Used by `text`, `models`, `training`, `methods` and the checks."""

IGNORE = -100  # torch's cross-entropy leaves targets with this value out
