"""A help desk as a program: a customer writes, an agent answers, asks back or hands over, and a colleague works off the queue.

- `server` is the web service, and `page` holds the two pages that it shows. `babyagi desk` starts it.
- A classifier, such as one from a bundle (`apps.bundle`), reads a message; `policy` draws the act and knows its propensity.
- `talk` is one turn of a conversation, `store` keeps it in SQLite, `answers` is what the desk says.
- `calls` lets the guard (`agents.guard`) decide about the one thing that the desk can change.
- `log` reads the decisions back for the gate (`agents.gate`).
"""
