"""A help desk as a program: a customer writes, an agent answers, asks back or hands over, and a colleague works off the queue.

A classifier from a bundle (`apps.bundle`) reads a message, `policy` chooses the act and knows its propensity, `talk` is one turn of a conversation, `store` keeps it in
SQLite, `calls` lets the guard of lesson 14 decide about what changes something, `log` reads the decisions for the gate of lesson 13,
`server` is the web service, and `page` the two pages that it shows. `babyagi desk` starts it.
"""
