"""How this process holds its memory."""

import os
import sys

# Of glibc's mallopt (malloc.h), and what is set: bytes that are kept at the end of the heap when they are
# free, up to which an array lies in the heap (the largest value that it takes), and arenas.
_TRIM_THRESHOLD, _KEPT = -1, 512 * 2**20
_MMAP_THRESHOLD, _LARGEST = -3, 32 * 2**20
_ARENA_MAX, _ARENAS = -8, 1

_SETTINGS = ("MALLOC_", "GLIBC_TUNABLES")  # of the user, in the environment


def keep_freed_memory() -> bool:
    """Have freed memory used again instead of given back to the system and asked for anew.

    A network on the processor makes and frees arrays of some megabytes all the time. By default glibc gives
    them back at once, and the system clears each page of them again, which is up to a third of the time of a
    batch. Up to 512 MB are kept. Memory is asked for as before where MALLOC_... or GLIBC_TUNABLES is set in
    the environment, and where the C library is another one.

    Returns:
        Whether it is so now.
    """
    if not sys.platform.startswith("linux") or any(name.startswith(_SETTINGS) for name in os.environ):
        return False
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = {_ARENA_MAX: _ARENAS, _TRIM_THRESHOLD: _KEPT, _MMAP_THRESHOLD: _LARGEST}
    # musl has a mallopt, too, that refuses all.
    return all(mallopt(name, value) == 1 for name, value in wanted.items())
