"""Integrity: that an exported log's lines are chained, sealed and covered by a Merkle tree, whatever they say.

It knows nothing of accounts, so that a process of its own can look at it while another follows the accounts
(:mod:`pets.ledger.publish.export`): a million entries take half the time then. The process reads lines from its
standard input and prints the tree's root and the chain's hash after so many entries as it was asked for; or nothing, if
a line is not what it must be.
"""

from __future__ import annotations

import hashlib
import json
import sys
from binascii import hexlify
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pets.errors import VerificationError
from pets.ledger.log.merkle import Tree
from pets.ledger.log.records import GENESIS

ORIGINAL = "ask for the original file"
BLOCK = 1 << 20  # bytes read at once
LONGEST = 1 << 28  # of a line: more is no log
START = 65  # of a body: after the chain's hash and a tab
_SEALED = b',"sealed":"'


class Integrity:
    """A log's chain and tree so far."""

    def __init__(self, full: bool) -> None:
        self.size, self.chain = 0, GENESIS
        self._tree, self._full = Tree(), full

    def checked(self, lines: Sequence[bytes]) -> tuple[list[bytes], list[bytes], bytes]:
        """The next lines' bodies and private parts, and the chain after them; changes nothing yet."""
        sha256, chain, full = hashlib.sha256, self.chain, self._full
        bodies: list[bytes] = []
        privates: list[bytes] = []
        for one in lines:
            if full:
                end = one.find(b"\t", START)
                if end < 0:
                    raise VerificationError(
                        f"entry {self.size + len(bodies)} has not the parts that it must have; {ORIGINAL}"
                    )
                body = one[START:end]
                privates.append(one[end + 1 :])
            else:
                body = one[START:]
            chain = sha256(chain + body).digest()
            if one[:START] != hexlify(chain) + b"\t":
                raise VerificationError(
                    f"entry {self.size + len(bodies)} was altered, or one before it was left out, added or moved; "
                    f"{ORIGINAL}"
                )
            bodies.append(body)
        return bodies, privates, chain

    def accept(self, bodies: Sequence[bytes], chain: bytes) -> None:
        """They belong to the log."""
        self._tree.add(bodies)
        self.size, self.chain = self.size + len(bodies), chain

    def root(self) -> bytes:
        """Of the Merkle tree of all bodies so far."""
        return self._tree.root()


def blocks(handle: BinaryIO) -> Iterator[tuple[bytes, list[bytes]]]:
    """Bytes as they are read, and the lines that end within them."""
    rest, count = b"", 0
    while data := handle.read(BLOCK):
        *lines, rest = (rest + data).split(b"\n")
        yield data, lines
        count += len(lines)
        if len(rest) > LONGEST:
            raise VerificationError(f"entry {count} is longer than any entry can be; {ORIGINAL}")
    if rest:
        raise VerificationError(f"the file ends within entry {count}; {ORIGINAL}")


def sealed_as_said(bodies: Sequence[bytes], privates: Sequence[bytes]) -> bool:
    """Whether each body's seal is the SHA-256 of its private part."""
    sha256 = hashlib.sha256
    for body, private in zip(bodies, privates, strict=True):
        at = body.rfind(_SEALED)
        if at < 0 or hexlify(sha256(private).digest()) != body[at + 11 : at + 75]:
            return False
    return True


def main(view: str, sizes: Sequence[int]) -> None:
    """Read lines, print ``{size: [root, chain]}``."""
    state, ahead = Integrity(view == "full"), sorted({size for size in sizes if size})
    said = {0: [state.root().hex(), state.chain.hex()]}
    for _, lines in blocks(sys.stdin.buffer):
        while lines:
            count = ahead[0] - state.size
            bodies, privates, chain = state.checked(lines[:count])
            if privates and not sealed_as_said(bodies, privates):
                return
            state.accept(bodies, chain)
            if state.size == ahead[0]:
                said[ahead.pop(0)] = [state.root().hex(), state.chain.hex()]
            lines = lines[count:]
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1], [int(size) for size in sys.argv[2:]])
