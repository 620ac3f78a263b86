"""No network for the tests, in any process: Python runs this at its start because conftest.py puts it on PYTHONPATH.

The hook sees what every library does, C code included, and cannot be taken off again. It does not hold back what is not
Python, such as node or a browser.
"""

import errno
import socket
import sys

LOCAL = (None, "", "localhost", "0.0.0.0", "::", "::1")


def refuse(event: str, arguments: tuple) -> None:
    """Raise what a machine without a network would, unless it is about this machine."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        connection, address = arguments
        if address is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
            return
        host = address[0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in LOCAL and not host.startswith("127."):
        raise OSError(errno.ENETUNREACH, f"no network in the tests ({event} {host})")


sys.addaudithook(refuse)
