"""Photos that clients go on working with: in memory, for a while, each with the person cut out of it."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence

from pg2.pipeline import Pipeline, Source
from pg2.pose.estimator import chosen
from pg2.pose.keypoints import Pose
from pg2.web.errors import ApiError


class KeptPhoto:
    """A photo and the people on it. Its methods may be called on any thread."""

    def __init__(self, content: bytes, people: Sequence[Pose]) -> None:
        """Keep `content`, a picture file, and the poses of the people on it, largest first."""
        self._content, self._people = content, people
        self._prepared: tuple[Pipeline, int, Source] | None = None

    def source(self, pipeline: Pipeline, person: int | None) -> Source:
        """A person in the model's frame; prepared anew for another model or person than the last one.

        Raises:
            NoPersonError: there is no such person.
        """
        pose, number = chosen(self._people, person), person or 0
        prepared = self._prepared
        if prepared is None or prepared[:2] != (pipeline, number):
            source = pipeline.prepare(self._content, source_pose=pose)
            self._prepared = prepared = (pipeline, number, source)
        return prepared[2]


class KeptPhotos:
    """So many photos of so many bytes in all, each for so long after it was last asked for, no more.

    Where there is no room for another one, those go that have not been asked for for longest. To be used from
    one event loop.
    """

    def __init__(self, number: int, size: int, seconds: float) -> None:
        self._number, self._size, self._seconds = number, size, seconds
        self._photos: OrderedDict[str, tuple[KeptPhoto, int, asyncio.TimerHandle]] = OrderedDict()
        self.held = 0

    def __len__(self) -> int:
        return len(self._photos)

    def put(self, photo: KeptPhoto, size: int) -> str:
        """Keep a photo of `size` bytes; gives the token by which it is found: whoever has it may use it.

        Raises:
            ApiError: it is larger than all photos may be together.
        """
        if size > self._size:
            raise ApiError(
                "too_large", f"photo: it takes more than the {self._size:,} bytes of all kept ones"
            )
        while self._photos and (len(self) >= self._number or self.held + size > self._size):
            self.drop(next(iter(self._photos)))
        token = secrets.token_urlsafe(24)
        self._photos[token] = photo, size, self._end(token)
        self.held += size
        return token

    def get(self, token: str) -> KeptPhoto:
        """The photo of a token, which is kept for longer now.

        Raises:
            ApiError: it is not kept, or no longer.
        """
        if token not in self._photos:
            raise ApiError("gone", "kept: this photo is not kept any more; send it again")
        photo, size, end = self._photos.pop(token)
        end.cancel()
        self._photos[token] = photo, size, self._end(token)
        return photo

    def drop(self, token: str) -> None:
        """Keep this photo no longer; there need not be one."""
        if token in self._photos:
            _, size, end = self._photos.pop(token)
            end.cancel()
            self.held -= size

    def clear(self) -> None:
        """Keep nothing."""
        for token in list(self._photos):
            self.drop(token)

    def _end(self, token: str) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._seconds, self.drop, token)
