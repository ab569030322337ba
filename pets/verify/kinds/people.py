"""Questions about people, for the checker's planner: the one row of a person, made in steps of that person's own rows.

Domains follow from the schema and the bounds in the question. docs/proofs/people.md has the reasons. ``base`` is the
planner's file of columns, ``lines`` that of derived columns, ``made`` that of what is computed of steps.
"""

from typing import Any


class People:
    """The columns of the table of people, and how the plan accounts for them."""

    def __init__(self, query: Any, schema: Any, base: Any, lines: Any, readings: Any, made: Any) -> None:
        self.asked, self.tables, self.base, self.lines = query["people"], schema["tables"], base, lines
        self.readings, self.made = readings, made
        if not readings.known(self.asked):
            raise base.CannotCheck("it computes features in a way that this checker does not know; find a newer one")
        self.steps: list[dict[str, Any]] = []  # each with its domain (of), and the steps that it reads (inputs)
        self.index: dict[bytes, int] = {}
        self.features = dict(self.asked["features"])
        named = [self.asked["of"]] if "of" in self.asked else []
        self.read = readings.tables_in(self.asked)
        base.need(
            {*self.asked} <= {"features", "of"} and len(self.features) == len(self.asked["features"]), "two names"
        )
        base.need(
            query["table"] == self.read[0] and all(self.unit(name) for name in self.read), "its rows are nobody's"
        )
        owners = {table["person_table"] for table in self.tables.values() if "person_table" in table}
        found = [self.tables[name].get("person_table", name if name in owners else None) for name in self.read]
        several = sorted({name for name in found if name is not None})
        base.need(len(several) < 2, "its tables attach different person tables")
        alone = bool(named) and self.unit(named[0])["max_rows"] == 1
        self.owner: Any = several[0] if several else named[0] if alone else None
        self.of: Any = named[0] if named else None if "where" in query else self.owner
        base.need(self.of or "where" in query, "nobody says who its people are")
        own = {} if self.owner is None else self.tables[self.owner]["columns"]
        self.columns = {
            name: base.Column(form, form.get("nullable", True) if self.of == self.owner else True)
            for name, form in own.items()
            if form["type"] != "identifier"
        }
        base.need(not {*self.features} & {*own}, "a feature has the name of a column")
        self.attributes, self.places = [*self.columns], dict[str, int]()
        for name, one in self.features.items():  # a case is on what is named before it
            self.places[name] = self.step(one)
            self.columns[name] = self.steps[self.places[name]]["of"]
        made.derive(self, query.get("with", []))
        read = [self.of] if self.of else [*self.read, *([self.owner] if self.owner else [])]
        self.most = sum(self.tables[name].get("people", 2**27) for name in dict.fromkeys(read))

    def unit(self, name: str) -> Any:
        """How a table names a person; nothing where it does not."""
        unit = self.tables[name]["unit"]
        return unit if isinstance(unit, dict) else None

    def add(self, key: bytes, of: Any, absent: int, inputs: tuple[int, ...] = (), **form: Any) -> int:
        """One more step, or the same one again; ``absent``: the code of somebody who has no row anywhere."""
        if key not in self.index:
            self.index[key] = len(self.steps)
            self.steps.append({"of": of, "inputs": inputs, "form": {"cells": of.cells, "absent": absent} | form})
        return self.index[key]

    def own(self, name: str) -> int:
        """A column of the person table."""
        of = self.columns[name]
        self.base.need(name in self.attributes and of.kind != "text", "it has a column that no person has a value of")
        return self.add(b"column " + name.encode(), of, of.cells, table=self.owner, column=name)

    def place(self, name: str) -> int:
        """The step of a column of people."""
        return self.places[name] if name in self.places else self.own(name)

    def step(self, one: Any) -> int:
        """A feature, after those that it reads."""
        base, kind, key = self.base, one["feature"], self.base.canonical(one)
        if key in self.index:
            return self.index[key]
        if kind in self.readings.READ:
            found: int = self.readings.reading(self, one, key)
            return found
        if kind in self.made.KINDS:
            computed: int = self.made.step(self, one, key)
            return computed
        if kind == "fill":
            at = self.step(one["of"])
            of, absent = self.steps[at]["of"], self.steps[at]["form"]["absent"]
            ((code, last),) = of.listed([one["value"]])
            base.need(code == last, "it fills with no value")
            filled = base.Column(of.form, False)
            return self.add(key, filled, code if absent == of.cells else absent, (at,), fill=at, code=code)
        if kind == "days":
            at, before = self.step(one["later"]), self.step(one["earlier"])
            later, earlier = (self.steps[place]["of"] for place in (at, before))
            base.need(later.kind == earlier.kind == "date", "it counts days between what are no dates")
            low, high = one["between"]
            shift = (later.first - earlier.first).days - low
            of = base.Column({"type": "integer", "min": low, "max": high}, True)
            ends = [self.steps[place]["form"]["absent"] for place in (at, before)]
            code = ends[0] - ends[1] + shift
            none = ends[0] == later.cells or ends[1] == earlier.cells or not 0 <= code < of.cells
            return self.add(key, of, of.cells if none else code, (at, before), later=at, earlier=before, shift=shift)
        at = self.step(one["at"])
        born, then = self.columns[one["column"]], self.steps[at]["of"]
        base.need(born.kind == then.kind == "date", "it takes an age of what are no dates")
        of = base.Column(
            {"type": "integer", "min": 0, "max": self.lines.age(born.first.toordinal(), then.last.toordinal())}, True
        )
        first = self.own(one["column"])
        return self.add(key, of, of.cells, (first, at), born=first, at=at)

    def account(self, used: set[str], where: Any) -> Any:
        """What the plan says: the steps of the columns that the question uses, and the tables that are read."""
        names = sorted(used)
        found = {name: self.place(name) for name in names}
        absent = {name: self.steps[place]["form"]["absent"] for name, place in found.items()}
        self.base.need(
            self.of or where is None or not self.made.met(where, absent), "somebody without any row meets its condition"
        )
        needed, left = set(), list(found.values())
        while left:
            if (at := left.pop()) not in needed:
                needed.add(at)
                left += self.steps[at]["inputs"]
        place = {old: new for new, old in enumerate(sorted(needed))}
        steps = [moved(self.steps[old]["form"], place) for old in place]
        tables = [self.of] if self.of else list(self.read)
        tables += [form["table"] for form in steps if "table" in form]
        tables += [self.owner] if not self.of and self.owner else []
        self.kept = [[name, self.unit(name)["max_rows"]] for name in dict.fromkeys(tables)]
        return {
            "steps": steps,
            "names": [[name, place[found[name]]] for name in names],
            "of": self.of,
            "kept": self.kept,
        }


def moved(form: Any, place: dict[int, int]) -> Any:
    """A step with its inputs at their new places."""
    out = {
        name: place[part] if name in ("fill", "later", "earlier", "born", "at") else part for name, part in form.items()
    }
    more = [one | {"step": place[one["step"]]} for one in form.get("differences", [])]
    out |= {"columns": [[name, place[step]] for name, step in form["columns"]]} if "columns" in form else {}
    return out | ({"differences": more} if "differences" in form else {})
