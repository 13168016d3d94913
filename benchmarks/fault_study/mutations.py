"""Whole files made malformed: at the level of bytes, of text, and of the structure of each format.

Every function takes its own source of chance, so that the same number makes the same file again.
"""

import copy
import io
import json
import random
import re
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

Mutation = Callable[[random.Random, bytes], bytes]

_MOST = 3_000_000  # bytes of what is made: the study is of malformed files, not of a full disk


def _either(*ways: Mutation) -> Mutation:
    """One of these, by chance."""
    return lambda chance, content: chance.choice(ways)(chance, content)


# ---- bytes

_WORDS = (0, 1, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)


def _flip(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    # Half of the time near the beginning, where the headers are.
    reach = min(len(changed), 400) if chance.random() < 0.5 else len(changed)
    for _ in range(chance.choice((1, 1, 2, 4, 16, 64)) if changed else 0):
        changed[chance.randrange(reach)] = chance.randrange(256)
    return bytes(changed)


def _cut(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _lose(chance: random.Random, content: bytes) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + content[start + chance.choice((1, 2, 7, 64, 1000)) :]


def _repeat(chance: random.Random, content: bytes) -> bytes:
    start = chance.randrange(len(content) + 1)
    part = content[start : start + chance.choice((1, 4, 64, 1000))]
    return content[:start] + part * min(chance.choice((2, 10, 1000, 100_000)), _MOST // max(len(part), 1))


def _insert(chance: random.Random, content: bytes) -> bytes:
    start = chance.randrange(len(content) + 1)
    added = chance.choice(
        (b"\0", b"\xff" * 8, b"\n", b"\xef\xbb\xbf", b"\xed\xa0\x80", bytes(1000), chance.randbytes(20))
    )
    return content[:start] + added + content[start:]


def _overwrite_number(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    form = chance.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(form)
    if len(changed) < size:
        return content
    reach = min(len(changed), 300) if chance.random() < 0.6 else len(changed)
    at = chance.randrange(max(min(reach, len(changed) - size + 1), 1))
    struct.pack_into(form, changed, at, chance.choice(_WORDS) % 256**size)
    return bytes(changed)


def _nothing(chance: random.Random, content: bytes) -> bytes:
    return chance.choice((b"", b"\0", b"\n", bytes(10_000), chance.randbytes(3000)))


bytewise = _either(_flip, _flip, _flip, _cut, _lose, _repeat, _insert, _overwrite_number, _nothing)
"""Any file, byte by byte."""


# ---- text

_NUMBERS = (
    "NaN", "-NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e308", "1e-400", "-0", "-1", "0", "0.5",
    "1e6", "1000001", "4294967295", "4294967296", "9223372036854775808", "1" + "0" * 400, "7" * 5000, "0x10",
    "0b_", "0o8", "1_000", "1__0", "+", "-", ".", "1e", "١٢", "²", "true", "null", "", "2024-13-45", "1:2:3",
    "99999999999:59",
)  # fmt: skip
_STRINGS = (
    "", " ", "\0", "a\0b", "../../../etc/passwd", "/dev/zero", "/dev/stdin", "/", ".", "..", "~", "-",
    "--help", "%s%n", "{0}", "\u202etxt", "\ud800", "\U0001f600" * 50, "x" * 300, "x" * 100_000, "a/b",
    "a\\b", "a\nb", '"', "'", "#", "constructor", "__class__", "con", "[1](javascript:x)",
    "<script>alert(1)</script>", "|", "None", "auto",
)  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_][\w.-]*")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _replace_found(pattern: re.Pattern[bytes], values: Sequence[str]) -> Mutation:
    def replace(chance: random.Random, content: bytes) -> bytes:
        found = list(pattern.finditer(content))
        if not found:
            return content + _encoded(chance.choice(values))
        start, end = chance.choice(found).span()
        return content[:start] + _encoded(chance.choice(values)) + content[end:]

    return replace


def _lines(chance: random.Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    way = chance.randrange(5)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines[at : at + 1] = [lines[at]] * chance.choice((2, 3, 1000))
    elif way == 2:
        lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
    elif way == 3:
        chance.shuffle(lines)
    else:
        lines[at] = b"\r".join(lines[at : at + 3])
    return b"\n".join(lines)[:_MOST]


def _deep(chance: random.Random, content: bytes) -> bytes:
    found = list(_NUMBER.finditer(content))
    start, end = chance.choice(found).span() if found else (len(content), len(content))
    count = chance.choice((20, 40, 300, 5000, 200_000))
    left, right = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"{a: ", b"}"), (b"(", b")"), (b"- ", b"")))
    return content[:start] + left * count + b"1" + right * count + content[end:]


text = _either(_replace_found(_NUMBER, _NUMBERS), _replace_found(_WORD, _STRINGS), _lines, _deep, bytewise)
"""Any text: its numbers, its words, its lines."""


# ---- JSON


_LEAVES = (
    None, True, False, 0, -1, 1, 2, 16, 0.5, 1e6, 1e30, 1e308, 2**31, 2**32 - 1, 2**63, -(2**63), 10**25,
    10**400, float("nan"), float("inf"), -float("inf"), "", "0", "walking", [0] * 54, [1e6] * 75, ["x"] * 54,
    [[1, 2]] * 18, [10**400] * 18,
)  # fmt: skip


def _leaf(chance: random.Random) -> Any:
    leaf = chance.choice((*_LEAVES, chance.choice(_STRINGS), [], {}, [[]], [None], {"": ""}))
    # Of its own: what is put in at two places and then altered might come to hold itself.
    return copy.deepcopy(leaf)


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    inside = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    for key, below in inside:
        found.append((value, key))
        _places(below, found)
    return found


def alter(chance: random.Random, value: Any) -> Any:
    """A decoded JSON document with something in it replaced, removed, added, repeated or moved."""
    if chance.random() < 0.02:
        return _leaf(chance)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        places = _places(value, [])
        if not places:
            return _leaf(chance)
        # Near the root as often as far from it, where most places are.
        holder, key = chance.choice(places[:30] if chance.random() < 0.5 else places)
        way = chance.randrange(8)
        if way <= 3:
            holder[key] = _leaf(chance)
        elif way == 4 and isinstance(holder, dict):
            del holder[key]
        elif way == 4:
            holder.pop(key)
        elif way == 5 and isinstance(holder, list):
            # What is repeated already would grow beyond all bounds.
            holder[key:key] = [holder[key]] * chance.choice((1, 2, 300, 2000) if len(places) < 5000 else (1,))
        elif way == 5:
            holder[chance.choice(_STRINGS)] = holder[key]
        elif way == 6:
            other, there = chance.choice(places)
            holder[key] = json.loads(json.dumps(other[there] if _has(other, there) else None))
        else:
            holder[key] = [holder[key]] if chance.random() < 0.5 else {"a": holder[key]}
    return value


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def _json_structure(chance: random.Random, content: bytes) -> bytes:
    return _encoded(json.dumps(alter(chance, json.loads(content)), ensure_ascii=chance.random() < 0.5))[
        :_MOST
    ]


def _json_keys_twice(chance: random.Random, content: bytes) -> bytes:
    return content.replace(b"{", b'{"' + _encoded(chance.choice(_STRINGS[-9:])) + b'": 1, ', 1)


json_file = _either(_json_structure, _json_structure, _json_structure, text, _json_keys_twice)
"""A JSON document."""


def json_lines(chance: random.Random, content: bytes) -> bytes:
    """A file with a JSON document a line."""
    lines = content.splitlines()
    at = chance.randrange(len(lines)) if lines else 0
    if not lines or chance.random() < 0.3:
        return text(chance, content)
    lines[at] = json_file(chance, lines[at])
    return b"\n".join(lines) + b"\n"


# ---- YAML

_TAGS = (
    "!!bool x", "!!timestamp x", "!!binary x", "!!int 0b_", "!!float .", "!!null x", "!!omap [1]",
    "!!pairs [1]", "!!set {a}", "!!python/object/apply:os.system [ls]", "!x y", "*a", "&a [*a]", "<<: 1",
    "2024-13-45", "0b_", "0x_", "1:60:61", "=", "|", "? a", "{<<: [a]}", "? {a: b}\n: c", "{? [1]: 2}",
    "%YAML 9.9", "---\n---", "\t", "@x", "`x", "!!str &a x", "~", "off", ".inf", "-.Inf", ".NaN", "1e400",
    "{}", "[]", "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", "fast/market1501", "extends: x",
)  # fmt: skip

yaml_file = _either(
    _replace_found(_NUMBER, (*_TAGS, *_NUMBERS)),
    _replace_found(_NUMBER, (*_TAGS, *_NUMBERS)),
    _replace_found(_WORD, (*_TAGS, *_STRINGS)),
    text,
)
"""A recipe."""


# ---- CSV


def csv_file(chance: random.Random, content: bytes) -> bytes:
    """A table, of commas or of the published keypoints' colons."""
    lines = content.split(b"\n")
    way = chance.randrange(6)
    if way == 0 or len(lines) < 3:
        return text(chance, content)
    at = chance.randrange(1 if chance.random() < 0.8 else 0, len(lines))
    parts = re.split(rb"([,:])", lines[at])
    field = chance.randrange(0, len(parts), 2)
    if way in (1, 2):
        parts[field] = _encoded(chance.choice(chance.choice((_NUMBERS, _STRINGS))))
    elif way == 3:
        parts[field] = b'"' + parts[field] + chance.choice((b"", b'"', b'""', b'"x', b"\r\n"))
    elif way == 4:
        parts[field : field + 1] = [parts[field], b",", parts[field]] * chance.choice((1, 2, 5000))
    else:
        del parts[field : field + 2]
    lines[at] = b"".join(parts)
    return b"\n".join(lines)[:_MOST]


# ---- zip, npz


def zip_file(chance: random.Random, content: bytes) -> bytes:
    """A zip archive: written anew with other parts, or damaged as bytes, mostly in its directory."""
    way = chance.randrange(6)
    if way <= 1:
        return bytewise(chance, content)
    if way == 2:
        # The directory is at the end.
        tail = max(len(content) - 2000, 0)
        return content[:tail] + chance.choice((_flip, _overwrite_number))(chance, content[tail:])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    at = chance.randrange(len(parts))
    name, data = parts[at]
    method = zipfile.ZIP_STORED
    if way == 3:
        parts[at] = (name, bytewise(chance, data))
    elif way == 4:
        parts[at] = (chance.choice(("../x", "/x", "", "x" * 60_000, "a\\b", "é", parts[0][0])), data)
    else:
        change = chance.randrange(4)
        if change == 0:
            del parts[at]
        elif change == 1:
            parts[at] = (name, bytes(chance.choice((0, 1, 100_000_000))))
            method = zipfile.ZIP_DEFLATED
        elif change == 2:
            method = chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        else:
            chance.shuffle(parts)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two parts of one name
        for name, data in parts:
            archive.writestr(name or "x", data)
    return buffer.getvalue()


_NPY = (
    (
        r"'descr': '[^']*'",
        (
            "'descr': '|O'", "'descr': '<f8'", "'descr': '|S1000000000'", "'descr': 'x'", "'descr': '<U0'",
            "'descr': [('a', '<f4')]", "'descr': 1", "'descr': '>i2'", "'descr': '<M8[s]'",
        ),
    ),
    (
        r"'shape': \([^)]*\)",
        (
            "'shape': (1000000000, 1000000)", "'shape': (-1,)", "'shape': ()", "'shape': (0,)",
            "'shape': (2, 2)",
            "'shape': 'x'", "'shape': (1.5,)", "'shape': (99999999,)", "'shape': (" + "1," * 40 + ")",
            "'shape': (True,)",
        ),
    ),
    (
        r"'fortran_order': \w+",
        ("'fortran_order': True", "'fortran_order': 2", "'x': 1", "'fortran_order': " + "(" * 300),
    ),
)  # fmt: skip


def _npy(chance: random.Random, data: bytes) -> bytes:
    """The header of one array."""
    length = int.from_bytes(data[8:10], "little")
    header = data[10 : 10 + length].decode("latin1")
    pattern, values = chance.choice(_NPY)
    changed = re.sub(pattern, lambda _: chance.choice(values), header).encode("latin1")
    version = chance.choice((b"\1\0", b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\xff\0"))
    size = len(changed).to_bytes(2 if version[0] in (1, 255) else 4, "little")
    return data[:6] + version + size + changed + data[10 + length :]


def npz_file(chance: random.Random, content: bytes) -> bytes:
    """An archive of NumPy arrays."""
    if chance.random() < 0.3:
        return zip_file(chance, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(sorted(parts))
    parts[name] = _npy(chance, parts[name]) if chance.random() < 0.7 else bytewise(chance, parts[name])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


# ---- safetensors


def safetensors_file(chance: random.Random, content: bytes) -> bytes:
    """Named tensors: the header, its length, or the values."""
    length = int.from_bytes(content[:8], "little")
    way = chance.randrange(6)
    if way == 0:
        return bytewise(chance, content)
    if way == 1:
        return (
            chance.choice((0, 1, length - 1, length + 1, 4_000_000, 2**40, 2**63, 2**64 - 1)).to_bytes(
                8, "little"
            )
            + content[8:]
        )
    header, values = content[8 : 8 + length], content[8 + length :]
    if way == 2:
        return content[: 8 + length] + values_spoilt(chance, values)
    document = json.loads(header)
    names = sorted(name for name in document if name != "__metadata__")
    entry = document[chance.choice(names)]
    if way == 3:
        entry["dtype"] = chance.choice(("F64", "F32", "BF16", "I64", "BOOL", "F8_E4M3", "X", "", 1, None))
    elif way == 4:
        field = chance.choice(("shape", "data_offsets"))
        entry[field] = chance.choice(
            (
                [],
                [0, 0],
                [0, 1],
                [1, 0],
                [-1, 2],
                [0, 2**40],
                [2**32, 2**32],
                [2**62, 4],
                "x",
                None,
                [1.5],
                [0] * 100,
                [0, 0, 0],
            )
        )
    else:
        document = alter(chance, document)
    changed = _encoded(json.dumps(document))
    return len(changed).to_bytes(8, "little") + changed + values


def values_spoilt(chance: random.Random, values: bytes) -> bytes:
    """Numbers of two bytes each, one of which becomes infinite, not a number, or huge."""
    spoilt = bytearray(values)
    if len(spoilt) >= 2:
        at = 2 * chance.randrange(len(spoilt) // 2)
        spoilt[at : at + 2] = chance.choice((b"\x00\x7e", b"\x00\x7c", b"\x00\xfc", b"\xff\x7b", b"\xff\xfb"))
    return bytes(spoilt)


# ---- pictures


def _png(chance: random.Random, content: bytes) -> bytes:
    """Chunks, with sums that are right."""
    chunks, at = [], 8
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    at = chance.randrange(len(chunks))
    kind, data = chunks[at]
    way = chance.randrange(6)
    if way == 0:
        chunks[at] = (kind, bytewise(chance, data))
    elif way == 1:
        head = list(struct.unpack(">IIBBBBB", chunks[0][1]))
        field = chance.randrange(7)
        head[field] = chance.choice(_WORDS) % (2**32 if field < 2 else 256)
        chunks[0] = (b"IHDR", struct.pack(">IIBBBBB", *head))
    elif way == 2:
        added = (
            (b"PLTE", bytes(chance.choice((0, 1, 3, 768, 769)))),
            (b"tRNS", bytes(chance.choice((0, 1, 6, 300)))),
            (b"iCCP", b"a\0\0" + zlib.compress(bytes(chance.choice((0, 500, 100_000_000))))),
            (b"zTXt", b"a\0\0" + zlib.compress(bytes(70_000_000))),
            (b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(9_000_000))), (b"eXIf", chance.randbytes(60)),
            (b"eXIf", b"II*\0\x08\0\0\0\xff\xff" + bytes(200)), (b"eXIf", b"MM"),
            (b"acTL", struct.pack(">II", 2**31, 0)), (b"acTL", b""), (b"fcTL", bytes(26)),
            (b"fdAT", bytes(10)), (b"gAMA", b""), (b"cHRM", b"1"), (b"pHYs", bytes(3)), (b"sRGB", b""),
            (b"IHDR", chunks[0][1]), (b"\xff\0\1\2", b""),
        )  # fmt: skip
        chunks.insert(chance.randrange(len(chunks) + 1), chance.choice(added))
    elif way == 3:
        chunks[at : at + 1] = [chunks[at]] * chance.choice((0, 2, 1000, 20_000))
    elif way == 4:
        chance.shuffle(chunks)
    else:
        found = b"".join(data for kind, data in chunks if kind == b"IDAT")
        with_other = zlib.compress(bytewise(chance, zlib.decompress(found)))
        chunks = [chunks[0], (b"IDAT", with_other), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _jpeg(chance: random.Random, content: bytes) -> bytes:
    """Segments: their content, their order, further ones."""
    segments, at = [], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        size = max(int.from_bytes(content[at + 2 : at + 4], "big"), 2)
        segments.append((content[at + 1], content[at + 4 : at + 2 + size]))
        at += 2 + size
    rest = content[at:]
    at = chance.randrange(len(segments))
    kind, data = segments[at]
    way = chance.randrange(6)
    if way == 0:
        segments[at] = (kind, bytewise(chance, data)[:65_533])
    elif way == 1:
        frames = [number for number, (kind, _) in enumerate(segments) if 0xC0 <= kind <= 0xC2]
        number = chance.choice(frames)
        kind, data = segments[number]
        frame = bytearray(data)
        frame[chance.randrange(len(frame))] = chance.choice((0, 1, 2, 17, 34, 68, 255))
        if chance.random() < 0.4:
            frame[1:5] = struct.pack(
                ">HH", chance.choice((0, 1, 8000, 65535)), chance.choice((0, 1, 8000, 65535))
            )
        segments[number] = (chance.choice((kind, 0xC0, 0xC1, 0xC2, 0xC3, 0xC9)), bytes(frame))
    elif way == 2:
        added = (
            (0xE1, b"Exif\0\0" + chance.randbytes(50)),
            (0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(300)),
            (0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1" + chance.randbytes(4) + bytes(4)),
            (0xE2, b"ICC_PROFILE\0\1\xff" + bytes(100)), (0xE2, b"ICC_PROFILE\0"),
            (0xE2, b"MPF\0" + chance.randbytes(60)),
            (0xE2, b"MPF\0II*\0\x08\0\0\0\1\0\1\xb0\4\0\1\0\0\0\xff\xff\xff\xff"),
            (0xEE, b"Adobe" + chance.randbytes(7)), (0xEE, b"Adobe"),
            (0xED, b"Photoshop 3.0\0" + chance.randbytes(40)),
            (0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\1x"), (0xE0, b"JFIF\0"), (0xE0, b""),
            (0xDD, b"\0\1"), (0xDB, b"\0" * 65), (0xC4, b"\0" * 17), (0xFE, b"x" * 65_000),
        )  # fmt: skip
        segments.insert(chance.randrange(len(segments) + 1), chance.choice(added))
    elif way == 3:
        segments[at : at + 1] = [segments[at]] * chance.choice((0, 2, 100, 5000))
    elif way == 4:
        chance.shuffle(segments)
    else:
        rest = bytewise(chance, rest)
    return (
        b"\xff\xd8"
        + b"".join(bytes((0xFF, kind)) + struct.pack(">H", len(data) + 2) + data for kind, data in segments)
        + rest
    )


def _tiff(chance: random.Random, content: bytes) -> bytes:
    """The entries of the first directory."""
    changed = bytearray(content)
    start = int.from_bytes(content[4:8], "little")
    count = int.from_bytes(content[start : start + 2], "little")
    for _ in range(chance.choice((1, 1, 2))):
        at = start + 2 + 12 * chance.randrange(max(count, 1))
        field = chance.choice((0, 2, 4, 8, 8))
        size = 2 if field in (0, 2) else 4
        value = (
            chance.choice(_WORDS)
            if field
            else chance.choice((254, 256, 257, 258, 259, 262, 273, 277, 278, 279, 317, 320, 339, 34675))
        )
        if field == 2:
            value = chance.randrange(16)
        elif field == 8 and chance.random() < 0.5:
            value = chance.choice((2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 32773, 34712, 50000))
        changed[at + field : at + field + size] = (value % 256**size).to_bytes(size, "little")
    return bytes(changed)


def picture_file(chance: random.Random, content: bytes) -> bytes:
    """A picture of any format that pg2 reads."""
    way = chance.random()
    if way < 0.4:
        return bytewise(chance, content)
    if content[:4] == b"\x89PNG":
        return _png(chance, content)[:_MOST]
    if content[:2] == b"\xff\xd8":
        return _jpeg(chance, content)[:_MOST]
    if content[:4] == b"II*\0":
        return _tiff(chance, content)
    return chance.choice((_overwrite_number, _overwrite_number, _flip, _lose))(chance, content)


# ---- tar

_TYPES = (b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"L", b"K", b"S", b"V", b"x", b"g", b"X", b"\0", b"Z")
_HEADERS = (
    {"size": "-1"}, {"size": "9" * 30}, {"size": "x"}, {"path": "../a.jpg"}, {"path": ""},
    {"path": "a" * 70_000}, {"mtime": "nan"}, {"hdrcharset": "BINARY"}, {"hdrcharset": "none"},
    {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9" * 12}, {"GNU.sparse.map": "1"},
    {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "4"},
)  # fmt: skip


def tar_file(chance: random.Random, content: bytes) -> bytes:
    """An archive: its bytes, or what one of its files is called, is and holds."""
    if chance.random() < 0.4:
        return bytewise(chance, content)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = [(entry, content[entry.offset_data : entry.offset_data + entry.size]) for entry in archive]
    entry, data = files[(at := chance.randrange(len(files)))]
    way = chance.randrange(5)
    if way == 0:
        # A name may hold anything but what cannot be encoded.
        entry.name = chance.choice(_STRINGS).replace("\ud800", "x")[:5000]
    elif way == 1:
        entry.type = chance.choice(_TYPES)
    elif way == 2:
        entry.size = chance.choice((-1, 0, 1, 511, 513, 10**6, 2**31, 2**40, 2**62))
    elif way == 3:
        entry.pax_headers = chance.choice(_HEADERS)
    else:
        data = mutated(chance, entry.name, data)
        entry.size = len(data)
    files[at] = (entry, data)
    whole = b"".join(
        entry.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
        for entry, data in files * chance.choice((1, 1, 1, 3))
    )
    return whole + bytes(1024)


# ---- which suits

_BY_ENDING: dict[str, Mutation] = {
    ".json": json_file, ".jsonl": json_lines, ".yaml": yaml_file, ".csv": csv_file, ".npz": npz_file,
    ".zip": zip_file, ".safetensors": safetensors_file, ".jpg": picture_file, ".png": picture_file,
    ".tar": tar_file, ".webp": picture_file, ".gif": picture_file, ".bmp": picture_file, ".tif": picture_file,
}  # fmt: skip


def mutated(chance: random.Random, name: str, content: bytes) -> bytes:
    """A whole file made malformed, as suits its name."""
    return _BY_ENDING.get(name[name.rfind(".") :], bytewise)(chance, content)
