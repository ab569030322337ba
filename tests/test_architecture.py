"""The house keeps its shape: layers and doors, one importer for each engine, no stray randomness, a light front door.

The contracts of import-linter live in ``pyproject.toml``; what they cannot say is scanned here. Every scanner is shown
to bite: a made-up offender must be found, and its innocent neighbour must not.
"""

from __future__ import annotations

import ast
import inspect
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at

ROOT = Path(__file__).resolve().parents[1]
PETS = ROOT / "pets"
MAX_LINES = 400
MAX_FILES = 16
TOP = {"__init__.py", "__main__.py", "errors.py"}
MAX_NAMES = 64
MAX_IMPORTED = 120

# engine: where it may be imported. A path that ends in "/" is a whole package. The tape of pets.testing stands between
# OpenDP and its one importer, so that no draw passes it by.
TAPE = "pets/testing/tape.py"
ENGINES = {
    "opendp": "pets/dp/noise.py",
    "formulaic": "pets/models/formula.py",
    "sdv": "pets/synthetic/sdv/engine.py",
    "mbi": "pets/synthetic/dp_model/marginals.py",
    "tenseal": "pets/he/tenseal_engine.py",
    "highspy": "pets/sdc/solve.py",
    "tqdm": "pets/common/progress.py",
    "sqlalchemy": "pets/ledger/db/",
    "sqlglot": "pets/query_model/sql/",
    "fastapi": "pets/service/http/",
    "starlette": "pets/service/http/",
    "uvicorn": "pets/service/http/",
    "jinja2": "pets/service/console/rendering.py",
    "jwt": "pets/service/access/",
    "httpx": "pets/service/client/transport.py",
    "prometheus_client": "pets/service/telemetry/metrics.py",
    "opentelemetry": "pets/service/telemetry/spans.py",
    "nvflare": "pets/federated/deployment/nvflare_engine/",
}

# The folder that touches rows, and who may import it.
ROWS = ["pets.rows"]
ROW_IMPORTERS = ("pets/rows/", "pets/session/", "pets/federated/site/", "pets/testing/")

# The protections: who may make a release.
RELEASE_MAKERS = ("pets/session/answering.py", "pets/he/totals/opening.py", "pets/federated/analyst/sealing.py")

HEAVY = [
    "opendp", "duckdb", "ibis", "polars", "pandas", "sdv", "torch", "tenseal", "mbi", "altair", "sqlalchemy", "fastapi",
    "pyspark", "nvflare", "sqlglot", "starlette", "uvicorn", "jinja2", "jwt", "httpx",
    "prometheus_client", "opentelemetry",
]  # fmt: skip

Finding = tuple[int, str]  # line, what


# ── scanners: source text in, findings out ────────────────────────────────────────────────────────────────────────────


@cache
def parsed(source: str) -> ast.Module:
    """A source's tree, which no scan changes: several look at the same files."""
    return ast.parse(source)


@cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    """All that is in it."""
    return tuple(ast.walk(parsed(source)))


def imported(source: str, path: str = "pets/module.py") -> list[Finding]:
    """Every module that a file imports, at whatever depth, by statement or by name; relative imports resolved."""
    package = path.removesuffix(".py").removesuffix("/__init__").split("/")
    if not path.endswith("__init__.py"):
        package = package[:-1]
    found: list[Finding] = []
    for node in nodes(source):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, module)] + [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and "import" in _callee(node) and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                found.append((node.lineno, name.value))
    return found


def _callee(node: ast.Call) -> str:
    """The last part of what is called: ``f`` in ``f()`` and in ``m.f()``."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _within(name: str, modules: list[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def engine_imports(source: str, path: str) -> list[Finding]:
    """Imports of an outside engine anywhere but in its one place."""
    return sorted(
        {
            (line, engine)
            for line, name in imported(source, path)
            for engine, home in ENGINES.items()
            if _within(name, [engine]) and not (path.startswith(home) if home.endswith("/") else path == home)
            if (engine, path) != ("opendp", TAPE)
        }
    )


def row_imports(source: str, path: str) -> list[Finding]:
    """Imports of the folder that touches rows, by a file that may not."""
    if path.startswith(ROW_IMPORTERS):
        return []
    return sorted({(line, name) for line, name in imported(source, path) if _within(name, ROWS)})


def release_makers(source: str, path: str) -> list[Finding]:
    """Imports of what makes a release, by a file that is no protection."""
    if path in RELEASE_MAKERS:
        return []
    return [(line, name) for line, name in imported(source, path) if name == "pets.release.release.sealed_release"]


def randomness(source: str, path: str) -> list[Finding]:
    """Randomness from ``random`` or ``numpy.random`` outside ``synthetic/``; from the system outside ``entropy.py``."""
    names = imported(source, path)
    system = [] if path == "pets/common/entropy.py" else ["secrets", "os.urandom", "os.getrandom", "uuid"]
    pseudo = [] if path.startswith("pets/synthetic/") else ["random", "numpy.random"]
    found = {(line, name) for line, name in names if _within(name, pseudo + system)}
    aliases = {"numpy": {"numpy", "np"}, "os": {"os"}}
    for node in nodes(source):
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases.setdefault(alias.name, set()).add(alias.asname or alias.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            for module, known in aliases.items():
                if node.value.id in known and _within(f"{module}.{node.attr}", pseudo + system):
                    found.add((node.lineno, f"{module}.{node.attr}"))
    return sorted(found)


UNSAFE_MODULES = ["pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"]
UNSAFE_BUILTINS = ["eval", "exec"]


def unsafe(source: str, path: str) -> list[Finding]:
    """Pickle in any of its forms, ``eval`` and ``exec``."""
    found = {(line, name) for line, name in imported(source, path) if _within(name, UNSAFE_MODULES)}
    for node in nodes(source):
        if isinstance(node, ast.Name) and node.id in UNSAFE_BUILTINS:
            found.add((node.lineno, node.id))
        elif isinstance(node, ast.Attribute):
            builtin = isinstance(node.value, ast.Name) and node.value.id in ("builtins", "__builtins__")
            if node.attr in ("read_pickle", "to_pickle") or (builtin and node.attr in UNSAFE_BUILTINS):
                found.add((node.lineno, node.attr))
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            found.add((node.value.lineno, "allow_pickle"))
    return sorted(found)


def too_long(source: str, path: str) -> list[Finding]:
    """A file of more lines than one idea needs."""
    lines = len(source.splitlines())
    return [(lines, f"{lines} lines, more than {MAX_LINES}")] if lines > MAX_LINES else []


def reached(source: str, path: str) -> list[Finding]:
    """Whoever reaches over another object's underscore: ``x._name``, ``from m import _name``, ``getattr(x, "_name")``.

    Innocent are ``self``, ``cls`` and ``super()``; inside a class's own body a member of that class, of an object that
    is plainly one of its own (made there by ``cls(…)``, annotated, or tested with ``isinstance``); and the few names
    that libraries document as public in spite of their underscore.
    """
    tree = parsed(source)
    found: list[Finding] = []
    for node in nodes(source):
        if isinstance(node, (ast.ImportFrom, ast.Import)):
            names = [part for alias in node.names for part in alias.name.split(".")]
            names += (getattr(node, "module", None) or "").split(".")
            found += [(node.lineno, f"import of {name}") for name in names if _hidden(name) and name not in LENT]
    _over(tree, None, frozenset(), found)
    return sorted(set(found))


LENT = ("_exit", "_make", "_replace", "_asdict", "_fields", "_field_defaults", "_jvm", "_jsc", "_jsparkSession")


def _hidden(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def _over(node: ast.AST, owner: ast.ClassDef | None, own: frozenset[str], found: list[Finding]) -> None:
    """Collect what reaches over, below a node; ``own`` are the names of objects of the class whose body this is."""
    if isinstance(node, ast.ClassDef):
        owner, own = node, frozenset()
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and owner is not None:
        own = own | _instances(node, owner.name)
    target, name = _touched(node)
    if target is not None and _hidden(name) and name not in LENT and not _mine(target, name, owner, own):
        found.append((node.lineno, f"{ast.unparse(target)}.{name}"))  # type: ignore[attr-defined]
    for child in ast.iter_child_nodes(node):
        _over(child, owner, own, found)


def _touched(node: ast.AST) -> tuple[ast.expr | None, str]:
    """The object and the member that an expression touches, by a dot or by name."""
    if isinstance(node, ast.Attribute):
        return node.value, node.attr
    named = ("getattr", "setattr", "hasattr", "delattr", "__setattr__", "__getattribute__", "attrgetter")
    if isinstance(node, ast.Call) and _callee(node) in named and len(node.args) > 1:
        name = node.args[1]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return node.args[0], name.value
    return None, ""


def _mine(target: ast.expr, name: str, owner: ast.ClassDef | None, own: frozenset[str]) -> bool:
    if isinstance(target, ast.Name) and target.id in ("self", "cls"):
        return True
    if isinstance(target, ast.Call) and isinstance(target.func, ast.Name) and target.func.id == "super":
        return True
    if owner is None or name not in _members(owner):
        return False
    return isinstance(target, ast.Name) and (target.id == owner.name or target.id in own)


def _members(owner: ast.ClassDef) -> set[str]:
    """What a class itself defines: methods, fields, and what it sets on ``self``."""
    names = {node.name for node in owner.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    for node in ast.walk(owner):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            names |= {node.attr} if node.value.id in ("self", "cls") else set()
    for item in owner.body:
        targets = item.targets if isinstance(item, ast.Assign) else [getattr(item, "target", None)]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _instances(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> frozenset[str]:
    """The names in a method that stand for an object of its own class."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    own = {a.arg for a in arguments if a.annotation and ast.unparse(a.annotation).strip("'\"") in (name, "Self")}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1:
            made = ast.unparse(node.value.func)
            if made in (name, "cls", "type(self)", "cls.__new__") and isinstance(node.targets[0], ast.Name):
                own.add(node.targets[0].id)
        elif isinstance(node, ast.Call) and [ast.unparse(one) for one in (node.func, *node.args[1:])] in (
            ["isinstance", name],
            ["isinstance", "type(self)"],
        ):
            own.add(ast.unparse(node.args[0]))
    return frozenset(own)


def undocumented_methods(sources: dict[str, str]) -> list[str]:
    """Public methods of public classes that neither they nor a base class of pets document."""
    bases: dict[str, list[str]] = {}
    documented: dict[str, set[str]] = {}
    bare: list[tuple[str, int, str, str]] = []
    for path, source in sources.items():
        tree = parsed(source)
        inner = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
        for node in nodes(source):
            if not isinstance(node, ast.ClassDef) or id(node) in inner:
                continue
            bases.setdefault(node.name, []).extend(
                ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases
            )
            for item in node.body:
                if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and not item.name.startswith("_"):
                    again = any(
                        (isinstance(d, ast.Attribute) and d.attr in ("setter", "deleter"))
                        or (isinstance(d, ast.Name) and d.id == "overload")
                        for d in item.decorator_list
                    )
                    if ast.get_docstring(item) or again:
                        documented.setdefault(node.name, set()).add(item.name)
                    elif not node.name.startswith("_"):
                        bare.append((path, item.lineno, node.name, item.name))

    def ancestors(name: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        for base in bases.get(name, []):
            if base not in seen:
                yield base
                yield from ancestors(base, seen | {base})

    return [
        f"{path}:{line}: {owner}.{method}"
        for path, line, owner, method in bare
        if not any(method in documented.get(base, ()) for base in ancestors(owner))
    ]


def undocumented_names(names: dict[str, object]) -> list[str]:
    """Names whose object has no docstring of its own; what ``dataclass`` writes by itself does not count."""
    found = []
    for name, value in names.items():
        text = vars(value).get("__doc__") if isinstance(value, type) else getattr(value, "__doc__", None)
        inherited = not isinstance(value, type) and not callable(value) and not inspect.ismodule(value)
        if name.startswith("__") and isinstance(value, str):
            continue  # __version__
        if inherited or not text or (isinstance(value, type) and text.startswith(f"{value.__name__}(")):
            found.append(name)
    return found


def heavy(modules: list[str]) -> list[str]:
    """The engines among the names of loaded modules."""
    return sorted({name.split(".")[0] for name in modules} & set(HEAVY))


# ── the house as it stands ────────────────────────────────────────────────────────────────────────────────────────────

SOURCES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(PETS.rglob("*.py"))}
SCANNERS: list[Callable[[str, str], list[Finding]]] = [
    engine_imports,
    row_imports,
    randomness,
    unsafe,
    reached,
    release_makers,
    too_long,
]


@pytest.mark.parametrize("scan", SCANNERS, ids=lambda scan: scan.__name__)
def test_no_file_of_pets_is_flagged(scan: Callable[[str, str], list[Finding]]) -> None:
    assert SOURCES
    assert [f"{path}:{line}: {what}" for path, source in SOURCES.items() for line, what in scan(source, path)] == []


def crowded(paths: Iterable[str]) -> list[str]:
    """Folders with more files than a reader takes in at a glance, and files at the top that belong into a room."""
    folders = Counter(path.rpartition("/")[0] for path in paths)
    strays = [path for path in paths if path.count("/") == 1 and path.removeprefix("pets/") not in TOP]
    return [folder for folder, files in folders.items() if files > MAX_FILES] + strays


def test_no_folder_is_crowded() -> None:
    assert crowded(SOURCES) == []
    assert crowded([f"pets/plan/m{n}.py" for n in range(MAX_FILES + 1)] + ["pets/stray.py"]) == [
        "pets/plan",
        "pets/stray.py",
    ]


def test_every_public_method_is_documented() -> None:
    assert undocumented_methods(SOURCES) == []


# ── teeth ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("scan", "path", "source"),
    [
        (engine_imports, "pets/session/session.py", "import opendp.prelude as dp"),
        (engine_imports, "pets/session/session.py", "def f():\n    from opendp.measurements import make_gaussian"),
        (engine_imports, "pets/dp/noise.py", "import sdv"),
        (engine_imports, "pets/synthetic/dummy.py", "import sdv.metadata"),
        (engine_imports, "pets/synthetic/sdv/engine.py", "from mbi import Domain"),
        (engine_imports, "pets/he/keys/public_key.py", "import importlib\nts = importlib.import_module('tenseal')"),
        (engine_imports, "pets/he/keys/public_key.py", "ts = __import__('tenseal')"),
        (engine_imports, "pets/session/session.py", "from sqlalchemy import select"),
        (engine_imports, "pets/cli/main.py", "try:\n    import fastapi\nexcept ImportError:\n    pass"),
        (engine_imports, "pets/session/session.py", "from nvflare.client import api"),
        (row_imports, "pets/he/tenseal_engine.py", "from pets.rows.tabulate import tabulate"),
        (row_imports, "pets/dp/noise.py", "from pets.rows import snapshot"),
        (row_imports, "pets/dp/noise.py", "from .. import rows"),
        (row_imports, "pets/federated/query_round/coordinator.py", "from ...rows.tabulate import tabulate"),
        (row_imports, "pets/__init__.py", "from .rows.snapshot import Snapshot"),
        (row_imports, "pets/cli/main.py", "import importlib\nimportlib.import_module('pets.rows.ranking')"),
        (randomness, "pets/dp/noise.py", "import random"),
        (randomness, "pets/dp/noise.py", "from random import Random"),
        (randomness, "pets/plan/plan.py", "import numpy as np\nx = np.random.default_rng(0)"),
        (randomness, "pets/plan/plan.py", "import numpy as n\nx = n.random.normal()"),
        (randomness, "pets/plan/plan.py", "from numpy.random import default_rng"),
        (randomness, "pets/plan/plan.py", "from numpy import random as r"),
        (randomness, "pets/plan/plan.py", "import numpy.random"),
        (randomness, "pets/common/entropy.py", "import random"),
        (randomness, "pets/session/session.py", "import secrets"),
        (randomness, "pets/session/session.py", "import os\nkey = os.urandom(16)"),
        (randomness, "pets/synthetic/dummy.py", "from uuid import uuid4"),
        (unsafe, "pets/common/codec.py", "import pickle"),
        (unsafe, "pets/common/codec.py", "def f():\n    from joblib import load"),
        (unsafe, "pets/common/codec.py", "x = eval('1')"),
        (unsafe, "pets/common/codec.py", "import builtins\nbuiltins.exec('1')"),
        (unsafe, "pets/common/codec.py", "run = exec"),
        (unsafe, "pets/rows/sources.py", "import pandas as pd\npd.read_pickle('x')"),
        (unsafe, "pets/rows/sources.py", "import numpy as np\nnp.load('x', allow_pickle=True)"),
        (reached, "pets/testing/exact_answers.py", "session._holdings = 1"),
        (
            reached,
            "pets/testing/exact_answers.py",
            "def f(session):\n    return session.custody._tables.snapshot('stays')",
        ),
        (reached, "pets/testing/exact_answers.py", "def f(session):\n    return getattr(session, '_account')"),
        (reached, "pets/testing/exact_answers.py", "hasattr(session, '_account')"),
        (reached, "pets/testing/exact_answers.py", "object.__setattr__(release, '_seal', 1)"),
        (reached, "pets/he/totals/opening.py", "release = Release._sealed(id='')"),
        (reached, "pets/federated/site/wording.py", "from pets.session.guarantee_text import _version"),
        (reached, "pets/federated/site/wording.py", "from pets.session import guarantee_text as t\nt._version()"),
        (reached, "pets/ledger/log/audit.py", "class A:\n    def _f(self): ...\n_TABLE = {'f': A._f}"),
        (reached, "pets/plan/vector.py", "class A:\n    _x = 1\n    def f(self, other):\n        return other._x"),
        (reached, "pets/plan/vector.py", "class A:\n    _x = 1\n    def f(self, b: B):\n        return b._x"),
        (reached, "pets/plan/vector.py", "class A:\n    def f(self, other: A):\n        return other._of_a_base"),
        (reached, "pets/plan/vector.py", "class A:\n    _x = 1\n    def f(self):\n        return self.other._x"),
        (release_makers, "pets/cli/main.py", "from pets.release.release import Release, sealed_release"),
        (too_long, "pets/common/codec.py", "x = 1\n" * (MAX_LINES + 1)),
    ],
)
def test_a_scanner_bites(scan: Callable[[str, str], list[Finding]], path: str, source: str) -> None:
    assert scan(source, path)


@pytest.mark.parametrize(
    ("scan", "path", "source"),
    [
        (engine_imports, "pets/dp/noise.py", "import opendp.prelude as dp"),
        (engine_imports, "pets/service/http/app.py", "from fastapi import FastAPI"),
        (engine_imports, "pets/session/session.py", "import opendp_like\n'import opendp'"),
        (engine_imports, "pets/dp/budgeting.py", "from pets.dp import noise"),
        (row_imports, "pets/session/session.py", "from pets.rows.tabulate import tabulate"),
        (row_imports, "pets/federated/site/site.py", "from ...rows.snapshot import Snapshot"),
        (row_imports, "pets/plan/plan.py", "from pets.rowset import x"),
        (randomness, "pets/synthetic/dummy.py", "import numpy as np\nnp.random.default_rng(0)"),
        (randomness, "pets/common/entropy.py", "import secrets"),
        (randomness, "pets/cli/main.py", "import os\nos.environ['HOME']"),
        (unsafe, "pets/he/keys/public_key.py", "model.eval()\nre.compile('x')\nnp.load('x', allow_pickle=False)"),
        (reached, "pets/plan/vector.py", "class A:\n    def f(self):\n        return self._x + super()._y + cls._z"),
        (reached, "pets/plan/vector.py", "class A:\n    _x = 1\n    def f(self, other: A):\n        return other._x"),
        (
            reached,
            "pets/plan/vector.py",
            "class A:\n    _x = 1\n    def __eq__(self, other: object):\n"
            "        return isinstance(other, A) and other._x == A._x",
        ),
        (
            reached,
            "pets/session/session.py",
            "class A:\n    def __init__(self):\n        self._x = 1\n    @classmethod\n    def of(cls):\n"
            "        made = cls.__new__(cls)\n        made._x = 2\n        return made",
        ),
        (reached, "pets/synthetic/sdv/engine.py", "import os\nos._exit(1)\nrow._make([1])\nx.__dict__\n_own = 1\n_own"),
        (release_makers, "pets/session/answering.py", "from pets.release.release import Release, sealed_release"),
        (release_makers, "pets/cli/main.py", "from pets.release.release import Release"),
        (too_long, "pets/common/codec.py", "x = 1\n" * MAX_LINES),
    ],
)
def test_a_scanner_leaves_the_innocent_alone(scan: Callable[[str, str], list[Finding]], path: str, source: str) -> None:
    assert scan(source, path) == []


def test_the_docstring_scanners_bite() -> None:
    base = 'class A:\n    def f(self):\n        """It."""\n'
    assert undocumented_methods({"a.py": base, "b.py": "class B(A):\n    def f(self): ...\n"}) == []
    assert undocumented_methods({"a.py": base, "b.py": "class B(A):\n    def g(self): ...\n"}) == ["b.py:2: B.g"]

    class Bare:
        pass

    class Written:
        """Something."""

    assert undocumented_names({"Bare": Bare, "Written": Written, "limit": 3, "f": lambda: 0}) == ["Bare", "limit", "f"]
    assert heavy(["json", "opendp.prelude", "pandas", "opendp_like"]) == ["opendp", "pandas"]


# ── import-linter ─────────────────────────────────────────────────────────────────────────────────────────────────────


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts over the ``pets`` that lies in a folder."""
    script = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    return subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)


def test_the_contracts_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "line", "contract"),
    [
        ("errors.py", "import pets.session.session", "Door 1: layers"),
        ("common/codec.py", "def f():\n    from pets.plan import plan", "Door 1: layers"),
        ("newcomer.py", '"""A module without a place."""', "Door 1: layers"),
        ("he/tables/table.py", "from pets.synthetic.dummy import dummy", "Door 1: layers"),
        ("ledger/log/merkle.py", "from pets.ledger.db.store import Store", "Door 1, ledger"),
        ("ledger/newcomer.py", '"""A module without a place."""', "Door 1, ledger"),
        ("synthetic/packs/pack.py", "from pets.synthetic.dummy import dummy", "Door 1, synthetic"),
        ("he/keys/party.py", "from pets.he.totals.total import Total", "Door 1, he"),
        ("federated/site/gate.py", "from pets.federated.analyst.federation import Federation", "Door 1, federated"),
        ("cli/main.py", "from pets.rows.snapshot import Snapshot", "Door 2"),
        ("cli/main.py", "import opendp.prelude", "Door 3"),
        ("plan/vector.py", "import pets.session.session", "Door 4"),
    ],
)
def test_the_contracts_bite(tmp_path: Path, path: str, line: str, contract: str) -> None:
    shutil.copytree(PETS, tmp_path / "pets", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "pets" / path).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(tmp_path)
    verdicts = [text for text in done.stdout.splitlines() if text.startswith(contract) and "BROKEN" in text]
    assert done.returncode != 0, done.stdout
    assert verdicts, done.stdout + done.stderr


# ── the front door ────────────────────────────────────────────────────────────────────────────────────────────────────


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def loaded_by(statement: str) -> list[str]:
    """The names of the modules in memory after one statement in a fresh interpreter."""
    names: list[str] = json.loads(python(f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"))
    return names


def test_importing_pets_loads_no_engine() -> None:
    assert heavy(loaded_by("import pets")) == []
    assert "duckdb" in heavy(loaded_by("import duckdb"))  # the test itself can see an engine


def test_importing_pets_is_quick() -> None:
    """72 modules, the standard library's included; numpy alone would load 150 more."""
    assert len(loaded_by("import pets")) - len(loaded_by("pass")) < MAX_IMPORTED


def test_the_public_names_are_few_and_documented() -> None:
    import pets

    assert len(pets.__all__) == len(set(pets.__all__)) <= MAX_NAMES
    assert undocumented_names({name: getattr(pets, name) for name in pets.__all__}) == []
