"""Agents put together from trained parts: what they sense, what they believe, what they do, and their log. Used by lesson 12."""
