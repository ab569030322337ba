"""Prepared: the worlds of a replay are made ready once, for all that is asked of them and every bug that is planted.

For modules whose planted bugs lie behind the snapshots: none of them may be in how rows are read and kept.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from pets.rows import snapshot
from pets.rows.snapshot import Snapshot
from pets.schema.schema import Schema
from pets.testing import same_noise

MOST = 64
"""Worlds that are kept, each with a database of its own."""


@pytest.fixture(scope="module")
def worlds_once() -> Iterator[None]:
    """The same rows under the same rank key are one snapshot, and the same pairs are invented once."""
    made: dict[str, dict[str, Snapshot]] = {}
    invented: dict[Any, list[Any]] = {}
    make, pairs = Snapshot.make_all, same_noise.pairs

    def make_all(schema: Schema, tables: Sequence[str], sources: Mapping[str, Any], **settings: Any) -> Any:
        if settings.get("folder") is not None or settings.get("key") is not None:
            return make(schema, tables, sources, **settings)
        key = snapshot.rank_key()  # a replay's is fixed
        world = (schema.to_json(), [*tables], dict(sources), key, settings.get("limits"))
        name = hashlib.sha256(pickle.dumps(world)).hexdigest()
        if name not in made:
            made[name] = make(schema, tables, sources, **settings | {"key": key})
            if len(made) > MOST:
                del made[next(iter(made))]
        return dict(made[name])

    def pairs_once(schema: Schema, data: Any, count: int, **given: Any) -> Iterator[Any]:
        if data is not None:
            return pairs(schema, data, count, **given)
        name = (schema.digest, count, *sorted(given.items()))
        if name not in invented:
            invented[name] = list(pairs(schema, None, count, **given))
        return iter(invented[name])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Snapshot, "make_all", staticmethod(make_all))
        patch.setattr(same_noise, "pairs", pairs_once)
        yield
