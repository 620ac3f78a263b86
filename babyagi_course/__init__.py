"""The course's own tool, `babyagi`: run lessons, refresh their outputs, build the book, make the editions.

No lesson and no module of `babyagi_lib` imports it. Importing a module of it imports no torch: the kernel of a lesson has
its own.
"""

import os

# The threads that the user has chosen for a kernel, if any: noted here because importing `babyagi_lib` can set the variable.
CHOSEN_THREADS = os.environ.get("OMP_NUM_THREADS")
