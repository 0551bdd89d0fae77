"""A disk that takes no more, for the tests of what is left behind then."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def full_disk(bytes: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: writing on raises EFBIG, as a full disk raises ENOSPC."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, unlimited[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
