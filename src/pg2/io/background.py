"""Small jobs, such as writing pictures, done in threads while the caller goes on."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, Protocol

_Arguments = ParamSpec("_Arguments")


class Later(Protocol):
    """What `in_background` gives."""

    def __call__(
        self, job: Callable[_Arguments, None], /, *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> None:
        """Have `job` done soon, with these arguments; waits while too many are under way.

        Raises:
            BaseException: what an earlier job raised; the jobs after it may not be done.
        """


@contextlib.contextmanager
def in_background(threads: int = 4, waiting: int = 128) -> Iterator[Later]:
    """Yield a function that hands jobs to threads; on leaving all of them are done.

    An error of a job is raised by one of the next calls, or on leaving. After an error, of a job or of the
    caller, jobs that have not begun are dropped, and those under way are waited for.

    Args:
        threads: jobs at a time.
        waiting: jobs under way or waiting at most, which bounds the memory that they hold.
    """
    under_way: deque[Future[None]] = deque()

    def later(
        job: Callable[_Arguments, None], /, *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> None:
        while under_way and (under_way[0].done() or len(under_way) >= waiting):
            under_way.popleft().result()
        under_way.append(pool.submit(job, *args, **kwargs))

    pool = ThreadPoolExecutor(threads)
    try:
        yield later
        for job in under_way:
            job.result()
    finally:
        pool.shutdown(cancel_futures=True)
