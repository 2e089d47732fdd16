"""README and docs do what they say: commands and code are run in order, in an empty folder."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import hoaconv
from hoaconv.ops.page import page
from hoaconv.terminal.app import app

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"```(console|python)\n(.*?)```", re.DOTALL)


def run(arguments: list[str], folder: Path) -> None:
    done = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"


SOON = ("README.md", "engine.md", "ops.md")
"""Pages that run without the marker; each of the others takes many commands."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[] if page.name in SOON else pytest.mark.long)
        for page in PAGES
    ],
)
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            run([sys.executable, "-c", text], tmp_path)
            continue
        for line in text.splitlines():
            if line.startswith("$ hoaconv "):
                words = shlex.split(line.removeprefix("$ hoaconv "))
                done = CliRunner().invoke(app, words)
                assert done.exit_code == 0, f"{line}\n{done.output}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_readme_fits_a_screen_and_ci_runs_its_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 60
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = [
        line for line in readme.splitlines() if line.startswith((".venv/", "python3 -m venv"))
    ]
    assert len(commands) == 2
    for command in commands:
        assert command in ci


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_example_runs(example: Path, tmp_path: Path) -> None:
    run([sys.executable, str(example)], tmp_path)


def test_the_brain_s_table_is_what_the_example_prints(tmp_path: Path) -> None:
    example = ROOT / "examples" / "plan_the_brain.py"
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, check=True)
    page = (ROOT / "docs" / "memory.md").read_text(encoding="utf-8")
    assert len(done.stdout.splitlines()) == 13
    for line in done.stdout.splitlines():
        assert line in page


def test_the_ops_page_is_printed_from_the_catalogue() -> None:
    assert (ROOT / "docs" / "ops.md").read_text(encoding="utf-8") == page()


def test_every_option_is_told_in_help(capsys) -> None:
    from inspect import signature

    text = CliRunner().invoke(app, ["stack-to-omezarr", "--help"], env={"COLUMNS": "200"}).output
    for name in signature(hoaconv.stack_to_omezarr).parameters:
        if name not in ("src", "dst", "watcher"):
            assert f"--{name.replace('_', '-')}" in text


def test_a_word_of_the_glossary_has_one_meaning_and_is_used() -> None:
    glossary = ROOT / "docs" / "glossary.md"
    rows = re.findall(r"^\| ([^|]+) \|", glossary.read_text(encoding="utf-8"), re.MULTILINE)[1:]
    words = [word for row in rows for word in row.split(", ")]
    assert len(words) == len(set(words)) > 50
    files = [*PAGES, *(ROOT / "hoaconv").rglob("*.py")]
    text = " ".join(path.read_text(encoding="utf-8") for path in files if path != glossary)
    for word in words:
        assert re.search(rf"(?i)\b{re.escape(word)}", text), word
