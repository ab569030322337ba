"""Merkle trees: the known answers of Certificate Transparency's reference tree, and another implementation."""

from __future__ import annotations

import hashlib
import random
from itertools import pairwise

import pytest

from pets.ledger.log import merkle
from pets.ledger.log.merkle import (
    Frontier,
    Subtrees,
    Tree,
    audit_path,
    consistency_path,
    consistent,
    inclusion_path,
    leaf_hash,
    node_hash,
    root,
    root_from_path,
)

# RFC 6962's reference implementation (certificate-transparency, merkle_tree_test): eight leaves and their roots
LEAVES = [
    bytes.fromhex(text)
    for text in [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {  # index, size
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def bodies(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int) -> None:
    tree = Tree()
    tree.add(LEAVES[:size])
    assert root(LEAVES[:size]).hex() == tree.root().hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_known_paths(index: int, size: int) -> None:
    assert [part.hex() for part in audit_path(index, LEAVES[:size])] == PATHS[index, size]


def test_no_leaves_and_the_two_prefixes() -> None:
    assert root([]) == Tree().root() == hashlib.sha256(b"").digest()
    assert leaf_hash(b"x") == hashlib.sha256(b"\x00x").digest()
    assert node_hash(b"l", b"r") == hashlib.sha256(b"\x01lr").digest()


def test_another_implementation_agrees() -> None:
    oracle = pytest.importorskip("pymerkle").InmemoryTree(algorithm="sha256")
    mine, found = Frontier(), Tree()
    for number, body in enumerate(bodies(200), 1):
        oracle.append_entry(body)
        mine = mine.add(body)
        found.add([body])
        assert mine.root() == found.root() == oracle.get_root(number)


@pytest.mark.parametrize("cuts", [[0, 1, 2, 700], [0, 64, 128, 700], [0, 699, 700], [0, 3, 3, 260, 261, 700]])
def test_leaves_may_come_in_any_blocks(cuts: list[int]) -> None:
    leaves, tree = bodies(700), Tree()
    for start, end in pairwise(cuts):
        tree.add(leaves[start:end])
        assert tree.size == end
        assert tree.root() == root(leaves[:end])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 21])
def test_every_proof_leads_to_the_root_and_no_other_does(size: int) -> None:
    leaves = bodies(size)
    for index, body in enumerate(leaves):
        path = audit_path(index, leaves)
        assert root_from_path(body, index, size, path) == root(leaves)
        assert root_from_path(b"other", index, size, path) != root(leaves)
        for place in range(len(path)):
            wrong = [hashlib.sha256(part).digest() if n == place else part for n, part in enumerate(path)]
            assert root_from_path(body, index, size, wrong) != root(leaves)
        with pytest.raises(ValueError, match="too long"):
            root_from_path(body, index, size, [*path, bytes(32)])
        if path:
            with pytest.raises(ValueError, match="too short"):
                root_from_path(body, index, size, path[:-1])
    with pytest.raises(ValueError, match="no such entry"):
        root_from_path(leaves[0], size, size, [])


def test_the_path_of_the_next_leaf_is_known_before_it_is_added() -> None:
    leaves, frontier = bodies(40), Frontier()
    for index, body in enumerate(leaves):
        path = frontier.next_path()
        frontier = frontier.add(body)
        assert path == audit_path(index, leaves[: index + 1])
        assert len(path) == index.bit_count()
        assert root_from_path(body, index, index + 1, path) == frontier.root()


def test_a_damaged_frontier_is_refused() -> None:
    with pytest.raises(ValueError, match="one peak"):
        Frontier(3, (bytes(32),))


def test_every_log_is_shown_to_begin_with_every_earlier_one() -> None:
    """All true proofs of consistency for sizes up to 130 hold, and as many broken ones are refused."""
    leaves = [leaf_hash(bytes([number])) for number in range(130)]
    roots = [root([bytes([number]) for number in range(size)]) for size in range(131)]
    chance, held, broken = random.Random(4), 0, 0
    for size in range(1, 131):
        for old in range(size + 1):
            path = list(consistency_path(old, leaves[:size]))
            assert consistent(old, size, roots[old], roots[size], path)
            held += 1
            wrong = (old, size, roots[old], roots[size], [*path, roots[1]])
            match chance.randrange(5):
                case 0 if path:
                    wrong = (old, size, roots[old], roots[size], path[: chance.randrange(len(path))])
                case 1 if path:
                    at = chance.randrange(len(path))
                    flipped = bytes([path[at][0] ^ 1]) + path[at][1:]
                    wrong = (old, size, roots[old], roots[size], [*path[:at], flipped, *path[at + 1 :]])
                case 2 if old:
                    wrong = (old, size, roots[old - 1], roots[size], path)
                case 3 if size > old > 0:
                    wrong = (old, size, roots[old], roots[size - 1], path)
                case 4:
                    wrong = (size + 1, size, roots[old], roots[size], path)
            assert not consistent(*wrong), wrong[:2]
            broken += 1
    assert (held, broken) == (8645, 8645)


def test_inclusion_is_proved_from_hashes_as_from_bodies() -> None:
    bodies = [bytes([number]) for number in range(20)]
    for size in range(1, 21):
        leaves = [leaf_hash(body) for body in bodies[:size]]
        for index in range(size):
            path = inclusion_path(index, leaves)
            assert root_from_path(bodies[index], index, size, path) == root(bodies[:size])
            assert path == audit_path(index, bodies[:size])
    with pytest.raises(ValueError, match="no such entry"):
        inclusion_path(3, [leaf_hash(b"")] * 3)
    with pytest.raises(ValueError, match="no beginning"):
        consistency_path(4, [leaf_hash(b"")] * 3)


def test_proofs_from_kept_subtrees_are_the_same_and_hash_little(monkeypatch: pytest.MonkeyPatch) -> None:
    leaves, tree = [leaf_hash(number.to_bytes(2)) for number in range(1000)], Subtrees()
    for number, leaf in enumerate(leaves, start=1):
        tree.add(leaf)
        if number in (1, 2, 7, 64, 1000):  # also of all earlier sizes, which the log has gone on from
            for size in {1, number // 2 + 1, number - number // 3, number}:
                for index in {0, size // 3, size - 1}:
                    assert tree.inclusion_path(index, size) == inclusion_path(index, leaves[:size])
                for old in {0, 1, size // 2, size - 1, size}:
                    assert tree.consistency_path(old, size) == consistency_path(old, leaves[:size])
    assert len(tree) == 1000
    for wrong in (lambda: tree.inclusion_path(3, 3), lambda: tree.consistency_path(4, 3)):
        with pytest.raises(ValueError, match=r"no such entry|no beginning"):
            wrong()
    hashed: list[bytes] = []
    monkeypatch.setattr(merkle, "node_hash", lambda left, right: hashed.append(left) or node_hash(left, right))
    tree.inclusion_path(333, 999)
    tree.consistency_path(511, 999)
    assert len(hashed) < 30
