"""The site: every page, the notebooks, and a reference of the public names. ``python -m tests.docs.site`` builds it.

The pages are gathered in a folder in which they lie beside each other as in the repository, so that their links hold.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "docs" / "site"
OUT = ROOT / "build" / "site"

PACKAGES = ("pets", "pets.he", "pets.federated", "pets.service", "pets.sdc", "pets.testing")
"""Whose public names are in the reference."""

CONTENTS = {
    "Learn": [
        "docs/guide",
        *("docs/dummy_data", "docs/own_pack", "docs/teaching"),
        "docs/service",
        "docs/airlock",
        "docs/federated",
        "docs/federation_from_nothing",
        "docs/guarantees",
        "docs/what_can_be_derived",
        *("docs/choosing", "docs/checking_tables", "docs/spark"),
        *("docs/witnesses", "docs/data_protection_officer"),
    ],
    "Run a service": [
        *(f"docs/running/{page}" for page in ("laptop", "server", "kubernetes", "backup", "upgrade", "watching")),
        "docs/threats",
    ],
    "When something goes wrong": [
        f"docs/bad_day_{who}" for who in ("custodian", "coordinator", "key_holder", "analyst")
    ],
    "Notebooks": [
        "notebooks/first_private_table",
        "notebooks/cohort_study",
        "notebooks/one_question_three_answers",
        "notebooks/onboarding_with_dummy_data",
        "notebooks/synthetic_data",
        "notebooks/encrypted_totals",
        "notebooks/federated_hospitals",
        "notebooks/hidden_cells",
    ],
    "Look up": [
        "docs/manual",
        "docs/schema_reference",
        "docs/pack_reference",
        "docs/products",
        "docs/what_is_true",
        "docs/command_reference",
        *(f"api/{p}" for p in PACKAGES),
    ],
    "Proofs": [
        f"docs/proofs/{name}"
        for name in (
            *("setting", "people", "derived", "rows", "balance", "units", "total", "square", "product", "moments"),
            *("step", "exits", "leaves", "tree", "tails", "training", "descent", "meat"),
            *("gaussian", "laplace", "composition", "group_keys", "top_keys", "rounded", "plan"),
            "certificate",
            *("secure_sum", "refinement", "post_processing"),
        )
    ],
    "The house": [
        *("docs/architecture", "docs/opendp", "docs/audits", "CONTRIBUTING", "GLOSSARY", "SECURITY", "AUDITS"),
        "CHANGELOG",
    ],
}
"""The pages of the site, by their places in the repository, under the headings of the side bar."""


def public_names(module: ModuleType) -> list[str]:
    """The names that a package means for its users."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return [name for name in names if not name.startswith("_")]


def reference(package: str) -> str:
    """A page of the reference: each public name with its signature and its docstring."""
    module = importlib.import_module(package)
    earlier = [importlib.import_module(name) for name in PACKAGES[: PACKAGES.index(package)]]
    shown = {id(getattr(one, name)) for one in earlier for name in public_names(one)}
    parts = [f"{package}\n{'=' * len(package)}\n", f".. automodule:: {package}\n   :no-members:\n"]
    for name in public_names(module):
        kind = "autoclass" if isinstance(getattr(module, name), type) else "autofunction"
        options = "   :members:\n   :inherited-members: Exception, tuple\n" if kind == "autoclass" else ""
        options += "   :no-index:\n" if id(getattr(module, name)) in shown else ""  # one address a thing
        parts.append(f"{name}\n{'-' * len(name)}\n\n.. {kind}:: {package}.{name}\n{options}")
    return "\n".join(parts)


def gather(folder: Path) -> None:
    """Every page of the site in one folder."""
    pages = ("*.md", "docs/*.md", "docs/*/*.md", "docs/running/*/*")
    for pattern in (*pages, "docs/*.svg", "notebooks/*.ipynb", "examples/*.yaml", "LICENSE"):
        for path in ROOT.glob(pattern):
            to = folder / path.relative_to(ROOT)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
    (folder / "README.md").rename(folder / "index.md")
    for page in folder.rglob("*.md"):
        text = re.sub(r"\]\((?:\.\./)*README\.md", lambda m: m[0].replace("README", "index"), page.read_text("utf-8"))
        page.write_text(text, "utf-8")
    with (folder / "index.md").open("a", encoding="utf-8") as index:
        for title, pages in CONTENTS.items():
            index.write(f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(pages) + "\n```\n")
    (folder / "api").mkdir()
    for package in PACKAGES:
        (folder / "api" / f"{package}.rst").write_text(reference(package), "utf-8")


NOTEBOOKS = tuple(Path(page).name for page in CONTENTS["Notebooks"])


def build(out: Path, run: Collection[str] = NOTEBOOKS) -> None:
    """Gather, run these notebooks (the others are shown without answers) and build; any warning ends it."""
    pages = out.parent / f"{out.name}-pages"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    gather(pages)
    left_out = [f"notebooks/{name}.ipynb" for name in NOTEBOOKS if name not in run]
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", str(CONFIG)]
    command += [str(pages), str(out)]
    env = {**os.environ, "PETS_SITE_NOT_RUN": ",".join(left_out)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the site cannot be built:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    build(OUT)
    print(f"{OUT.relative_to(ROOT)}/index.html")
