"""Shown: an output as a notebook, a terminal and a checker see it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import overload

from pets.airlock.findings import Preflight
from pets.airlock.kinds import Kind, kind_of
from pets.airlock.preflight import preflight
from pets.common import html_table
from pets.errors import UserError, did_you_mean, shown
from pets.ledger.review.output import Comment, Output
from pets.ledger.review.votes import OutputState, OutputVote

_LINES = 30
"""Lines of a file that are shown with it."""


def moment(at: float) -> str:
    """A time, for people."""
    return f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(at))} UTC"


def plain(text: str) -> str:
    """A text that cannot steer a terminal: what is not printable is written as it is escaped."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


class OutputView:
    """One output as whoever looks may see it.

    Attributes:
        id, dataset, project, analyst, digest: which it is, and whose.
        state: such as ``submitted``; see :class:`pets.ledger.review.votes.OutputState`.
        files: the bytes of each file by its name, where they were asked for.
    """

    def __init__(self, output: Output, files: Mapping[str, bytes] | None = None) -> None:
        self._output, self.files = output, dict(files or {})
        self.id, self.dataset, self.project, self.analyst = output.id, output.dataset, output.project, output.analyst
        self.digest, self.state, self.turn = output.digest, output.state.value, output.turn

    @property
    def votes(self) -> tuple[OutputVote, ...]:
        """Those that whoever looks may see."""
        return self._output.votes

    @property
    def comments(self) -> tuple[Comment, ...]:
        """Those that whoever looks may see."""
        return self._output.comments

    @property
    def preflight(self) -> Preflight | None:
        """What a program would ask about its files; ``None`` where they are not here."""
        said = self._output.manifest
        return preflight(self.files, said.context, said.controls) if self.files else None

    @property
    def overdue(self) -> bool:
        """Whether it waits for longer than its rules say."""
        return self._output.state.open and time.time() > self._output.due

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is said of it, line by line."""
        one = self._output
        state = f"{one.state.value}, turn {one.turn}; {one.voted} of {one.rules.needed} have voted"
        if one.state.open:
            state += f"; due {moment(one.due)}{' (overdue)' if self.overdue else ''}"
        told = [("Output", one.id), ("By", f"{one.analyst}, project {one.project}, about {one.dataset!r}")]
        told += [("State", state), ("Digest", one.digest), ("Context", one.manifest.context)]
        told += [("Controls", one.manifest.controls)]
        told += [("File", f"{file.name} ({file.size:,} bytes, SHA-256 {file.sha256})") for file in one.manifest.files]
        told += [("Vote", _vote(vote)) for vote in one.votes]
        told += [("Comment", f"{note.author} ({moment(note.at)}): {note.text}") for note in one.comments]
        return [(name, plain(value)) for name, value in told]

    def __repr__(self) -> str:
        lines = [f"{name}: {value}" for name, value in self.facts]
        found = self.preflight
        return "\n".join([*lines, *([] if found is None else ["Pre-flight:", plain(str(found))])])

    def _repr_html_(self) -> str:
        parts = [html_table.table("An output", (), self.facts)]
        if (found := self.preflight) is not None:
            parts.append(f"<pre>{escape(plain(str(found)))}</pre>")
        return html_table.block(*parts)

    def text(self, name: str) -> str:
        """The beginning of a file that is text, as a person would read it; raises :class:`UserError`."""
        if name not in self.files:
            raise UserError(f"the output has no file {shown(name)} here{did_you_mean(name, self.files)}")
        if kind_of(name) is Kind.PICTURE:
            return f"(a picture of {len(self.files[name]):,} bytes; write it into a folder to see it)"
        lines = self.files[name].decode("utf-8", "replace").splitlines()
        more = [f"… and {len(lines) - _LINES:,} lines more"] if len(lines) > _LINES else []
        return plain("\n".join([*lines[:_LINES], *more]))


def _vote(vote: OutputVote) -> str:
    note = f"; {vote.note}" if vote.note else ""
    early = "" if vote.nonce else " at once"
    own = ", signed with a key of their own" if vote.signed else ""
    return f"{vote.reviewer}: {vote.decision.value}{early} ({vote.reason}{own}){note}"


class OutputList(Sequence[OutputView]):
    """Several outputs."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = tuple(map(OutputView, outputs))

    def __len__(self) -> int:
        return len(self._outputs)

    @overload
    def __getitem__(self, place: int) -> OutputView: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[OutputView]: ...

    def __getitem__(self, place: int | slice) -> OutputView | Sequence[OutputView]:
        return self._outputs[place]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """What is said of each."""
        return [tuple(dict(one.facts)[name] for name in ("Output", "By", "State")) for one in self._outputs]

    def __repr__(self) -> str:
        if not self._outputs:
            return "No outputs."
        return "\n".join("  ".join(row) for row in self.rows)

    def _repr_html_(self) -> str:
        if not self._outputs:
            return html_table.block(html_table.sentence(repr(self)))
        return html_table.block(html_table.table("Outputs", ("Output", "By", "State"), self.rows))


WAITS = tuple(one.value for one in OutputState if one.open)
"""The states in which an output waits for votes."""
