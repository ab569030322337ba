"""A lesson as its folder declares it: ``lesson.yaml`` says data, tasks and how answers are known.

What is drawn for each student (``draws``) stands as ``{name}`` in what no student is handed out: what happened to the
rows, how answers are known, and what a trainer looks for. An answer is known from the faults that were planted
(``fault``), by SQL on the rows that were made (``sql``), or as it stands there (``answer``). So it never comes from the
solution that it marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pets.common.yamlfile import Lines, read
from pets.errors import UserError, did_you_mean, shown
from pets.synthetic.lessons.changes import Change
from pets.synthetic.lessons.draws import Draw, filled, named_in, values_of
from pets.synthetic.lessons.source import LANGUAGES, Cell, cells, language_of
from pets.synthetic.packs.formula import read as formula
from pets.synthetic.packs.functions import FUNCTIONS
from pets.synthetic.quiz.secret import Secret
from pets.synthetic.quiz.task import MANY, Task

HOME = Path(__file__).parent
WAYS = ("fault", "sql", "answer")
"""How an answer is known."""

FORMATS = ("csv", "parquet")
_LESSON = ("lesson", "title", "about", "minutes", "draws", "data", "tasks", "rubric")
_DATA = ("pack", "people", "tables", "faults", "changes", "format")
_CHANGE = ("kind", "table", "column", "where", "share", "value")
_TASK = ("kind", "question", "hints", "lesson", "decimals", *WAYS)
_DRAWN_IN = ("where", "value", "share", "look_for", "sql", "answer")
"""Where what was drawn may stand: students are handed out none of it."""

STAYS = "stays"
"""The pack's place, where the data is the one table of the demonstration."""


@dataclass(frozen=True)
class Data:
    """What rows a lesson is about.

    Attributes:
        pack: a pack's name or folder, or ``stays``.
        people: how many.
        tables: those that are handed out; none: all.
        faults: what is planted, by name with its share; empty: nothing.
        changes: what happened to the rows, in a scenario.
        format: of the files.
    """

    pack: str
    people: int
    tables: tuple[str, ...]
    faults: Mapping[str, float | None]
    changes: tuple[Change, ...]
    format: str


@dataclass(frozen=True)
class Criterion:
    """What a trainer looks for in what a student wrote, and how many points it is worth."""

    name: str
    points: int
    look_for: str


@dataclass(frozen=True)
class Lesson:
    """A lesson: its tasks, by task one of ``WAYS`` with what it says, and, of a scenario, how a text is marked."""

    name: str
    title: str
    about: str
    minutes: int
    data: Data
    tasks: tuple[Task, ...]
    known: Mapping[str, tuple[str, Any]]
    rubric: tuple[Criterion, ...]
    folder: Path
    draws: tuple[Draw, ...] = ()
    tree: Any = field(default=None, repr=False, compare=False)

    def of(self, secret: Secret) -> Lesson:
        """The lesson of one student, with what is drawn from the secret of that student's own."""
        label = f"{self.folder.resolve().name}/lesson.yaml"
        return _Reader(label).lesson(self.tree, self.folder, secret) if self.draws else self

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that it is written in."""
        return tuple(name for name in LANGUAGES if self._source(name).is_file())

    def cells(self, language: str) -> list[Cell]:
        """What is taught, in a language. Raises :class:`UserError` where it is not written in it."""
        if language_of(language) not in self.languages:
            raise UserError(f"the lesson {self.name} is written in {', '.join(self.languages)}, not in {language}")
        file = self._source(language)
        return cells(file.read_text("utf-8"), f"{self.name}/{file.name}", language)

    def _source(self, language: str) -> Path:
        return self.folder / ("lesson.md" if language == "python" else f"lesson.{language}.md")


def lessons() -> list[Lesson]:
    """The lessons of pets itself, in the order in which they are best taken."""
    found = [load_lesson(path.parent.name) for path in HOME.glob("*/lesson.yaml")]
    return sorted(found, key=lambda lesson: (ORDER.index(lesson.name) if lesson.name in ORDER else 99, lesson.name))


ORDER = (
    "find_the_faults",
    "link_tables",
    "cohort_and_denominators",
    "small_numbers",
    "a_useful_private_answer",
    "attack_and_defence",
    "winter_crisis",
    "coding_change",
    "merger",
    "linkage_gone_wrong",
)


def load_lesson(name: str) -> Lesson:
    """A lesson by its name, or one's own by its folder.

    Raises :class:`UserError`, with the line, for a lesson that is not there or is not well written.
    """
    if not isinstance(name, str):
        raise UserError(f"a lesson is named, such as find_the_faults, not {shown(name)}")
    known = sorted(path.parent.name for path in HOME.glob("*/lesson.yaml"))
    folder = HOME / name if name in known else Path(name)
    try:
        there = (folder / "lesson.yaml").is_file()
    except (OSError, ValueError):  # no path that a system allows
        there = False
    if not there:
        raise UserError(f"there is no lesson {shown(name)}{did_you_mean(name, known)}")
    tree, _ = read(folder / "lesson.yaml", "lesson")
    return _Reader(f"{folder.resolve().name}/lesson.yaml").lesson(tree, folder)


class _Reader:
    """Reads the tree of a file; what is wrong in it is said with its line."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.values: dict[str, str] = {}

    def wrong(self, parent: Any, key: str, said: str) -> UserError:
        """An error at an entry."""
        line = parent.at.get(key) if isinstance(parent, Lines) else None
        return UserError(f"{self.label}{f':{line}' if line else ''}: {said}")

    def mapping(self, value: Any, parent: Any, key: str, names: tuple[str, ...] | None = None) -> Mapping[str, Any]:
        """An entry that has entries, with these names alone."""
        if not isinstance(value, Mapping):
            raise self.wrong(parent, key, f"{key or 'a lesson'} has entries, each with a name")
        for name in value if names is not None else ():
            if name not in (names or ()):
                raise self.wrong(value, name, f"{shown(name)} is no setting of it{did_you_mean(name, names or ())}")
        return value

    def text(self, parent: Mapping[str, Any], key: str, usual: str | None = None) -> str:
        """A text."""
        found = parent.get(key, usual)
        if not isinstance(found, str) or (usual is None and not found.strip()):
            raise self.wrong(parent, key, f"{key} is a text, and must be there")
        return self.filled(parent, key, " ".join(found.split()))

    def filled(self, parent: Mapping[str, Any], key: str, text: str) -> str:
        """A text with what was drawn, where that may stand in it."""
        if key in _DRAWN_IN:
            try:
                return filled(text, self.values)
            except UserError as error:
                raise self.wrong(parent, key, str(error)) from None
        if told := [name for name in named_in(text) if name in self.values]:
            raise self.wrong(parent, key, f"{key} is the same for all students; take {{{told[0]}}} out of it")
        return text

    def whole(self, parent: Mapping[str, Any], key: str, least: int, most: int, usual: str | None = None) -> int:
        """A whole number between two bounds."""
        text = self.text(parent, key, usual)
        if not text.isdecimal() or not least <= int(text) <= most:
            raise self.wrong(parent, key, f"{key} is a whole number from {least} to {most:,}, not {shown(text)}")
        return int(text)

    def texts(self, parent: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """A list of texts, or one with spaces between them."""
        found = parent.get(key) or []
        many = found if isinstance(found, list) else str(found).split()
        if not all(isinstance(one, str) for one in many):
            raise self.wrong(parent, key, f"{key} is a list of texts")
        return tuple(self.filled(parent, key, " ".join(one.split())) for one in many)

    def lesson(self, tree: Any, folder: Path, secret: Secret | None = None) -> Lesson:
        """A whole lesson; with a student's own secret, that student's."""
        told = self.mapping(tree, None, "", _LESSON)
        draws = tuple(self.draws(self.mapping(told.get("draws") or {}, told, "draws")))
        self.values = values_of(draws, secret)
        tasks, known = list[Task](), dict[str, tuple[str, Any]]()
        entries = self.mapping(told.get("tasks"), told, "tasks")
        for name, form in entries.items():
            if not name.replace("-", "").isalnum() or not name.isascii():
                raise self.wrong(entries, name, "a task is named by letters, digits and hyphens")
            one = self.mapping(form, entries, name, _TASK)
            tasks.append(self.task(name, one, entries))
            known[name] = self.way(tasks[-1], one, entries)
        if not tasks:
            raise self.wrong(told, "tasks", "a lesson has tasks")
        return Lesson(
            name=self.text(told, "lesson"),
            title=self.text(told, "title"),
            about=self.text(told, "about"),
            minutes=self.whole(told, "minutes", 1, 59),
            data=self.data(told),
            tasks=tuple(tasks),
            known=known,
            rubric=self.rubric(told),
            folder=folder,
            draws=draws,
            tree=tree,
        )

    def draws(self, entries: Mapping[str, Any]) -> Iterator[Draw]:
        """What is drawn for each student."""
        seen = set[str]()
        for names in entries:
            try:
                draw = Draw(tuple(names.split()), self.texts(entries, names))
                if again := seen.intersection(draw.names):
                    raise UserError(f"{{{min(again)}}} is drawn twice; keep one")
            except UserError as error:
                raise error if self.label in str(error) else self.wrong(entries, names, str(error)) from None
            seen.update(draw.names)
            yield draw

    def data(self, told: Mapping[str, Any]) -> Data:
        """What rows it is about."""
        form = self.mapping(told.get("data"), told, "data", _DATA)
        format = self.text(form, "format", "csv")
        if format not in FORMATS:
            raise self.wrong(form, "format", f"format is one of {', '.join(FORMATS)}")
        faults = dict[str, float | None]()
        for name, share in self.mapping(form.get("faults") or {}, form, "faults").items():
            try:
                faults[name] = float(share) if share else None
            except (TypeError, ValueError):
                raise self.wrong(form["faults"], name, "a fault's share is a number such as 0.01") from None
        changes = tuple(self.changes(self.mapping(form.get("changes") or {}, form, "changes")))
        if changes and faults:
            raise self.wrong(form, "changes", "a scenario has no faults beside its changes; take one of them out")
        people = self.whole(form, "people", 1, 1_000_000)
        return Data(self.text(form, "pack"), people, self.texts(form, "tables"), faults, changes, format)

    def changes(self, entries: Mapping[str, Any]) -> Iterator[Change]:
        """What happened to the rows."""
        for name, form in entries.items():
            one = self.mapping(form, entries, name, _CHANGE)
            try:
                share = float(self.text(one, "share", "1"))
                where = formula(self.text(one, "where"), FUNCTIONS) if "where" in one else None
                column, value = self.text(one, "column", ""), self.text(one, "value", "")
                yield Change(name, self.text(one, "kind"), self.text(one, "table"), column, where, share, value)
            except (UserError, ValueError) as error:
                raise error if self.label in str(error) else self.wrong(entries, name, str(error)) from None

    def rubric(self, told: Mapping[str, Any]) -> tuple[Criterion, ...]:
        """How a text is marked."""
        entries = self.mapping(told.get("rubric") or {}, told, "rubric")
        out = []
        for name, form in entries.items():
            one = self.mapping(form, entries, name, ("points", "look_for"))
            out.append(Criterion(name, self.whole(one, "points", 1, 100), self.text(one, "look_for")))
        return tuple(out)

    def task(self, name: str, form: Mapping[str, Any], parent: Any) -> Task:
        """A task from its entry."""
        try:
            return Task(
                name=name,
                kind=self.text(form, "kind"),
                question=self.text(form, "question"),
                hints=self.texts(form, "hints") if isinstance(form.get("hints"), list) else (),
                lesson=self.text(form, "lesson", ""),
                decimals=self.whole(form, "decimals", 0, 9, "0"),
            )
        except UserError as error:
            raise error if self.label in str(error) else self.wrong(parent, name, str(error)) from None

    def way(self, task: Task, form: Mapping[str, Any], parent: Any) -> tuple[str, Any]:
        """How its answer is known."""
        found = [way for way in WAYS if way in form]
        if len(found) != 1:
            raise self.wrong(parent, task.name, f"task {task.name!r} has one of {', '.join(WAYS)}")
        (way,) = found
        if way == "answer":
            return way, self.texts(form, way) if task.kind in MANY else self.text(form, way)
        if way == "fault" and task.kind != "rows":
            raise self.wrong(form, way, "the answer to a fault is rows: say kind: rows")
        return way, self.text(form, way)


def described() -> Iterator[str]:
    """One line for each lesson of pets."""
    for lesson in lessons():
        kind = "a scenario; " if lesson.rubric else ""
        yield f"{lesson.name}: {lesson.title} ({kind}{lesson.minutes} minutes; {', '.join(lesson.languages)})"
        yield f"    {lesson.about}"
