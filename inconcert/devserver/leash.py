"""Becomes a program that the kernel kills when its parent ends, however that ends.

`python leash.py PARENT PROGRAM ARGUMENT...`. In a process of its own rather than between
fork and exec: code there is not safe in a parent that has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):  # it ended before the leash was on
        sys.exit(1)
    os.execv(sys.argv[2], sys.argv[2:])
