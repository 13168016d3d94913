"""What `pg2 generate --poses` and `pg2 augment` made, as WebDataset shards to train on elsewhere."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from pg2.data.raw import fingerprint
from pg2.data.sources.webdataset import MOST_BYTES, PICTURES
from pg2.errors import Pg2Error
from pg2.io.files import exists, read_text, remove_unfinished
from pg2.io.picture_files import open_picture
from pg2.io.progress import tracked
from pg2.io.remote import is_address, lies_in, output
from pg2.io.shards import MOST_SAMPLES, MOST_SHARDS, SUFFIX, write_shard
from pg2.manifest import LARGEST, MANIFEST, OPTIONS, Line, Manifest

SIZE = 1000
"""Samples of a shard, if nothing else is said."""

# What in a name means something to those who read shards: a dot begins the ending, "__" is no sample.
_UNFIT = re.compile(r"[^\w/-]|^_+")


@dataclass(frozen=True)
class Shards:
    """What a run did.

    Attributes:
        files: all shards, in order: paths or addresses.
        samples: how many there are in them.
        kept: how many shards were there already.
    """

    files: list[Path | str]
    samples: int
    kept: int


class _Line(Line):
    """A line of either manifest: of `generate` with `photo`, of `augment` with `source`."""

    photo: str | None = None
    person: int = 0
    source: str | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What the sample's .json says: all of the line, and who it is."""
        rest = self.model_dump(exclude={"photo", "person", "source", "why"})
        if self.source is not None:
            # Named as in Market-1501, after the person. All are people of the training split.
            person = PurePosixPath(self.source).name.partition("_")[0]
            return {"person": person, "split": "train", "source": self.source, **rest}
        photo = PurePosixPath(self.photo or self.file or "")
        # As `pg2 prepare folder` has it: a folder a person. The others on a photo are somebody else.
        person = str(photo.parent) if len(photo.parts) > 1 else photo.stem
        if self.person:
            person = f"{photo.with_suffix('')}-person{self.person}"
        return {"person": person, "source": self.photo, **rest}


def make_shards(folder: str | Path, out: str | Path, *, size: int = SIZE, progress: bool = True) -> Shards:
    """Put the pictures of a finished folder into shards: tar files called shard-000000.tar and so on.

    A sample is a picture and a .json of all that the manifest says of it, with `person` (the folder of the
    photo, or without one its name; of `pg2 augment` the id), `source` and `keypoints` in pixels of the
    picture. `pg2.data.sources.webdataset` reads it. The same folder gives the same shards, byte for byte. The
    same call goes on with what an earlier one began.

    Args:
        folder: that `pg2.many.make_many` or `pg2.augment.augment` made.
        out: the folder to make, or one that an earlier call made; or the address of such a folder (see
            `pg2.io.remote`).
        size: samples of a shard.
        progress: show a bar when stderr is a terminal.

    Raises:
        Pg2Error: `folder` is none of these, or a picture of its manifest is missing, damaged or lies
            elsewhere; `out` lies in it, or holds something else or shards of other pictures; a size under 1.
    """
    if size < 1:
        raise Pg2Error(f"a shard holds one sample or more, not {size}")
    if is_address(folder):
        raise Pg2Error(f"{folder} is an address; the folder of what was made lies on this machine")
    folder = Path(folder)
    if lies_in(out, folder):
        raise Pg2Error(f"{out} lies in {folder}, which is only read; give another folder")
    given = _read(folder)
    batches = [given[first : first + size] for first in range(0, len(given), size)]
    if len(batches) > MOST_SHARDS:
        raise Pg2Error(f"{len(batches):,} shards are too many; give a larger --size than {size}")
    names = [f"shard-{number:06}{SUFFIX}" for number in range(len(batches))]
    pictures = [folder / line.file for _, line in given if line.file]
    options = {"kind": "pg2 shards", "size": size}
    options["pictures"] = fingerprint(options, folder, [folder / MANIFEST, *pictures])[:16]
    with output(out, (OPTIONS,)) as place:
        kept = Manifest(place, options, Line)
        remove_unfinished(kept.out)
        kept.begin()
        todo = [(name, batch) for name, batch in zip(names, batches, strict=True) if not kept.has(name)]
        for name, batch in tracked(todo, "Shards", progress):
            write_shard(kept.out / name, _samples(folder, batch))
            kept.send(name)
    start = str(out).rstrip("/")
    files = [f"{start}/{name}" if is_address(out) else Path(out) / name for name in names]
    return Shards(files, len(given), len(names) - len(todo))


def _read(folder: Path) -> list[tuple[str, _Line]]:
    """The lines of all pictures with their keys, in the order of these."""
    if not (folder / MANIFEST).is_file() or not (folder / OPTIONS).is_file():
        raise Pg2Error(
            f"{folder} holds no {MANIFEST} with {OPTIONS}; give a folder that `pg2 generate --poses` or "
            "`pg2 augment` has made"
        )
    found: dict[str, _Line] = {}
    text = read_text(folder / MANIFEST, "a list of results", LARGEST)
    for number, written in enumerate(text.splitlines(), 1):
        try:
            line = _Line.model_validate_json(written)
        except ValidationError as error:
            raise Pg2Error(
                f"line {number} of {folder / MANIFEST} is cut off, damaged, or of a photo whose name is no "
                "valid text; run the command that made the folder again, or rename that photo"
            ) from error
        if line.file is not None:
            # Of a picture that was made anew the last counts.
            found[line.file] = line
    if not 0 < len(found) <= MOST_SAMPLES:
        raise Pg2Error(f"{folder} holds {len(found):,} pictures; there must be 1 to {MOST_SAMPLES:,}")
    root = folder.resolve()
    keyed: dict[str, _Line] = {}
    for name, line in sorted(found.items()):
        file, ending = folder / name, PurePosixPath(name).suffix[1:]
        inside = not name.startswith("/") and exists(file) and file.is_file()
        if not inside or not file.resolve().is_relative_to(root) or ending not in PICTURES:
            raise Pg2Error(
                f"{file} is named in {MANIFEST}, but is no picture in this folder; run the command that "
                "made it again"
            )
        key = _UNFIT.sub("-", str(PurePosixPath(name).with_suffix("")))
        while key in keyed:
            key += "-"
        keyed[key] = line
    return sorted(keyed.items())


def _samples(folder: Path, batch: Sequence[tuple[str, _Line]]) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    for key, line in batch:
        assert line.file is not None
        file = folder / line.file
        ending = file.suffix[1:]
        with open_picture(file):
            pass
        if file.stat().st_size > MOST_BYTES[ending]:
            raise Pg2Error(f"{file} is larger than {MOST_BYTES[ending] / 1e6:g} MB, too large for a shard")
        about = json.dumps(line.about, sort_keys=True).encode()
        yield key, {ending: file.read_bytes(), "json": about}
