"""Kinds: what a job can be; they are known without any database."""

from __future__ import annotations

REFRESH = "refresh"
"""The kind of a custodian's request to make the tables anew: no question, and nothing is charged for it."""

LOOK, LET_OUT = "look", "let_out"
"""What a reviewer asks about a table outside the grid: to look at what it would tell, and to let it leave."""

KINDS = ("release", "group_keys", "top_keys", "rows_lost", "synthesise", "train", "dummy", REFRESH, LOOK, LET_OUT)
"""What a process answers."""

TABLE = "table"
"""The kind of a request for a table outside the grid: no process answers it; a person decides about it."""
