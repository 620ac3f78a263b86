"""The course's own tool, `babyagi`: run lessons, refresh their outputs, build the book, look at the machine.

The teaching modules never import this package, and nothing here imports torch.
"""
