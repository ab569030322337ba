"""The notebooks run where there is no network, name no other host in what they show, and their charts can be seen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pets.synthetic.lessons.lesson import load_lesson
from pets.synthetic.lessons.making import hand_out
from pets.synthetic.quiz.secret import Secret
from tests.browser import Browser
from tests.extras import needs
from tests.hosts import GUARD, named, outputs

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at

needs("nbformat", "nbclient")

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHARTS = {
    "cohort_study": 3,
    "federated_hospitals": 2,
    "first_private_table": 1,
    "hidden_cells": 1,
    "one_question_three_answers": 2,
    "synthetic_data": 1,
}


def executed(notebook: Any, folder: Path, where: Path = ROOT / "notebooks") -> tuple[Any, str]:
    """A notebook after a run in which no socket reaches another host, and the hosts that it asked for."""
    import nbclient

    (folder / "sitecustomize.py").write_text(GUARD, "utf-8")
    asked = folder / "hosts.txt"
    asked.touch()
    paths = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    client = nbclient.NotebookClient(notebook, timeout=2000, resources={"metadata": {"path": str(where)}})
    client.execute(env={**os.environ, "PYTHONPATH": paths, "PETS_TEST_HOSTS": str(asked)})
    return notebook, asked.read_text("utf-8")


def page(notebook: Any) -> str:
    """What the cells show, as a browser gets it: HTML before SVG before text."""
    parts = []
    for cell in notebook["cells"]:
        for shown in cell.get("outputs", ()):
            data = shown.get("data", {})
            html = data.get("text/html") or data.get("image/svg+xml")
            parts.append(f"<div class='output'>{html}</div>" if html else "")
    return "<!doctype html><meta charset='utf-8'><title>outputs</title>" + "\n".join(parts)


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_runs_without_a_network_and_shows_its_charts(path: Path, tmp_path: Path) -> None:
    import nbformat

    notebook, asked = executed(nbformat.read(path, as_version=4), tmp_path)
    assert asked == ""
    for kind, text in outputs(notebook):
        assert named(text) == [], kind
    made = tmp_path / "outputs.html"
    made.write_text(page(notebook), "utf-8")
    with Browser() as browser:
        browser.look(1280)
        browser.open(made)
        assert [url for url in browser.requests() if not url.startswith(("file:", "data:"))] == []
        sizes = browser.run(
            "[...document.querySelectorAll('svg.marks')].map(s => [s.getBoundingClientRect().width, "
            "s.querySelectorAll('.mark-rect path, .mark-symbol path, .mark-rule line').length])"
        )
        browser.picture(Path(os.environ.get("PETS_TEST_PICTURES", tmp_path)) / f"{path.stem}.png")
    assert len(sizes) == CHARTS.get(path.stem, 0)
    assert all(width > 200 and marks >= 5 for width, marks in sizes), sizes


@pytest.mark.timeout(2400)
def test_a_lesson_runs_in_a_kernel_that_reaches_no_other_host(tmp_path: Path) -> None:
    """The others run in the process of their own tests (``tests/unit/synthetic/lessons``)."""
    import nbformat

    lesson = tmp_path / "lesson"
    hand_out(load_lesson("a_useful_private_answer"), lesson, Secret(bytes(range(32))), "s01", offline=True)
    notebook, asked = executed(nbformat.read(lesson / "lesson.ipynb", as_version=4), tmp_path, lesson)
    assert asked == "" and [text for _, text in outputs(notebook) if named(text)] == []
    assert "0 % of 6 tasks" in str(notebook["cells"][-1]["outputs"])


def test_the_guard_bites(tmp_path: Path) -> None:
    import nbformat

    code = """
import urllib.request
try:
    urllib.request.urlopen("http://192.0.2.1/x", timeout=1)
except OSError as error:
    print(error)
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    notebook, asked = executed(notebook, tmp_path)
    assert asked == "socket.getaddrinfo 192.0.2.1\n"
    assert "may not reach another host" in "".join(text for _, text in outputs(notebook))


def test_the_scan_bites_on_altairs_own_html() -> None:
    altair = pytest.importorskip("altair")
    chart = altair.Chart(altair.Data(values=[{"a": 1}])).mark_bar().encode(x="a:Q")
    with altair.renderers.enable("default"):
        bundle = chart._repr_mimebundle_()
    assert named(bundle["text/html"])
