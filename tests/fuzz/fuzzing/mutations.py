"""What is done to a file's content, whatever its format: bytes, and text of tokens."""

import random
import re
import struct
from collections.abc import Callable, Sequence

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

_NUMBERS = (0, 1, -1, 2, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
_LONGEST = 2**20


def _place(rng: random.Random, content: bytes) -> int:
    """Return a place, half of the time in the first bytes, where headers are."""
    return rng.randrange(min(len(content), 128) if rng.random() < 0.5 else len(content)) if content else 0


def flip_bits(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Flip one to eight bits."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8) if changed else 0):
        changed[_place(rng, content)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_bytes(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Set a few bytes to 0x00, 0xFF or anything."""
    changed = bytearray(content)
    value = rng.choice((0, 0xFF, None))
    start = _place(rng, content)
    for place in range(start, min(len(changed), start + rng.choice((1, 1, 2, 4, 8, 64)))):
        changed[place] = rng.randrange(256) if value is None else value
    return bytes(changed)


def set_field(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Set a field of one to eight bytes, either end first, to a number at which arithmetic or memory ends."""
    size = rng.choice((1, 2, 4, 8))
    place = _place(rng, content)
    if rng.random() < 0.7:
        place -= place % size
    number = rng.choice(_NUMBERS) if rng.random() < 0.8 else len(content) + rng.randint(-2, 2)
    field = (number % 2 ** (8 * size)).to_bytes(size, rng.choice(("little", "big")))
    return content[:place] + field[: max(0, len(content) - place)] + content[place + size :]


def change_field(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Add or subtract a little from a field of four bytes."""
    place = _place(rng, content) & ~3
    if place + 4 > len(content):
        return content
    order = rng.choice("<>")
    (number,) = struct.unpack_from(f"{order}I", content, place)
    number = (number + rng.choice((-2, -1, 1, 2, 16, 4096))) % 2**32
    return content[:place] + struct.pack(f"{order}I", number) + content[place + 4 :]


def cut(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Cut the end off, or the beginning."""
    place = rng.randint(0, len(content))
    return content[place:] if rng.random() < 0.2 else content[:place]


def double(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Append the content once more, or zeros, or rubbish."""
    return content + rng.choice((content, bytes(rng.randint(1, 4096)), rng.randbytes(rng.randint(1, 64))))


def splice(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Put a piece of another valid file into this one."""
    other = rng.choice(list(others) or [content])
    start = rng.randint(0, len(other))
    piece = other[start : start + rng.choice((4, 16, 64, 1024, len(other)))]
    place = rng.randint(0, len(content))
    end = place + rng.choice((0, len(piece)))
    return content[:place] + piece + content[end:]


def move_chunk(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Remove a run of bytes, or have it twice, or put it elsewhere."""
    start = rng.randint(0, len(content))
    end = min(len(content), start + rng.choice((1, 4, 8, 32, 256)))
    chunk, rest = content[start:end], content[:start] + content[end:]
    to = rng.randint(0, len(rest))
    return rng.choice((rest, content[:end] + chunk + content[end:], rest[:to] + chunk + rest[to:]))


def nothing(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Leave nothing, or something of no format at all."""
    return rng.choice((b"", b"\0", b"\n", rng.randbytes(64), bytes(4096)))


_COMMON = (flip_bits, set_bytes, set_field, change_field, cut, double, splice, move_chunk)


def of_bytes(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Make one to three of these changes."""
    if rng.random() < 0.01:
        return nothing(rng, content, others)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(_COMMON)(rng, content, others)[:_LONGEST]
    return content


def in_place(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Make one to three changes that leave the length as it is."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        content = rng.choice((flip_bits, set_bytes, set_field, change_field))(rng, content, others)
    return content


NASTY_WORDS = (
    "", " ", "0", "-0", "-1", "1", "2", "0.5", "1e308", "-1e308", "1e309", "1e-400", "nan", "NaN", "inf", "-inf",
    "Infinity", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1_000", "0x10", "0b1", "0o7",
    "1" * 400, "9" * 5000, "1e999999999", "true", "false", "None", "null", "''", '""', '"', "'", '"""', "'''", ",",
    ";", "\t", "=", "[", "]", "{", "}", "[[", "#", "\0", "\x1b[2J", "\x85", "\u2028", "\u202e", "\ufeff", "\ud7ff",
    "\U0001f600", "ünï", "١٢٣", "/etc/passwd", "/dev/stdin", "../..", "~", "~nobody", "$HOME", "%s%n", "a" * 70_000,
)  # fmt: skip


def _swap_tokens(rng: random.Random, text: str) -> str:
    tokens = re.split(r"(\W+)", text)
    one, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    tokens[one], tokens[other] = tokens[other], tokens[one]
    return "".join(tokens)


def _nasty_token(rng: random.Random, text: str) -> str:
    tokens = re.split(r"(\W+)", text)
    tokens[rng.randrange(len(tokens))] = rng.choice(NASTY_WORDS)
    return "".join(tokens)


def _nasty_word_anywhere(rng: random.Random, text: str) -> str:
    place = rng.randint(0, len(text))
    return text[:place] + rng.choice(NASTY_WORDS) + text[place:]


def _change_lines(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines.insert(other, lines[place])
    elif kind == 2:
        lines[place], lines[other] = lines[other], lines[place]
    elif kind == 3:
        lines[place] = lines[place].rstrip("\r\n")
    else:
        lines[place] = "\n"
    return "".join(lines)


def _nest(rng: random.Random, text: str) -> str:
    depth = rng.choice((10, 200, 2000, 50_000))
    opened, closed = rng.choice((("[", "]"), ("{", "}"), ("(", ")"), ("{a=", "}"), ("a.", ""), ('"', '"')))
    place = rng.randint(0, len(text))
    return text[:place] + opened * depth + closed * rng.choice((0, depth)) + text[place:]


def _other_encoding(rng: random.Random, text: str) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    place = rng.randint(0, len(content))
    bad = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\x80", b"\xe9")
    return rng.choice(
        (
            content[:place] + rng.choice(bad) + content[place:],
            b"\xef\xbb\xbf" + content,
            text.encode("utf-16", "replace"),
            text.encode("utf-32-be", "replace"),
            text.encode("latin-1", "replace"),
            content.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\0", b""))),
        )
    )


def of_text(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Make one to three changes that leave most of it text, or now and then any changes."""
    if rng.random() < 0.15:
        return of_bytes(rng, content, others)
    text = content.decode("utf-8", "replace")
    for _ in range(rng.choice((1, 1, 2, 3))):
        text = rng.choice((_swap_tokens, _nasty_token, _nasty_token, _nasty_word_anywhere, _change_lines, _nest))(
            rng, text
        )
        text = text[:_LONGEST]
    if rng.random() < 0.15:
        return _other_encoding(rng, text)
    return text.encode("utf-8", "surrogatepass")
