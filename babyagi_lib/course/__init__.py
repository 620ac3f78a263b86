"""The course's own tool, `babyagi`: run lessons, refresh their outputs, build the book, check the machine.

The teaching modules never import this package; of the lessons, only lesson 0 does, for `doctor`. Importing a module of
it imports no torch: `doctor` imports torch when it examines the machine, and the kernel of a lesson has its own.
"""
