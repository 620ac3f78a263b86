"""Agents put together from trained parts: what they sense, believe and do, their log, and how they replace themselves. Used by lessons 12 and 13."""
