"""Agents put together from trained parts. Used by lessons 12 to 14.

- One that sorts: `part_sorter` (senses, belief and policy in one folder) and `decisions` (its log).
- One that replaces itself: `versions`, `gate`, `cycle`.
- One with tools: `language_models`, `memory`, `task_loop`, `tool_agent`; `branching` computes when its loop ends, and `trials`
  how often it succeeds.
- What it may do: `guard`, with `traces` (all that are possible) and `attacks`.
"""
