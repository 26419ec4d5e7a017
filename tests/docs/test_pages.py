"""What the documentation tells people to type exists: commands, options, links, settings, Python."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from console.cli import main
from console.config import PROJECT_DIR, Settings

PAGES = sorted(
    path.relative_to(PROJECT_DIR).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md") for path in PROJECT_DIR.glob(pattern)
)
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"(?:\S*/)?celeriac")
ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
FILE = re.compile(r"[\w-]+\.(?:jpg|png|csv|json|yaml|txt)")
OPERATORS = set("();<>|&")
LIMITS = {f"QUEUE_EMAILS_{limit}" for limit in ("MAX_ATTEMPTS", "TIMEOUT", "RETRY_AFTER", "MEMORY_MB")}
OF_THE_LAUNCHER = {"CELERIAC_VENV"}
NEEDS_A_READER = {"celeriac COMMAND --help"}
"""Written for people to put a word in."""


def read(page: str) -> str:
    return (PROJECT_DIR / page).read_text()


def blocks(page: str, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(read(page)) if kind == language]


def commands_of(script: str) -> Iterator[list[str]]:
    """The words of each call of `celeriac` in a piece of shell."""
    lexer = shlex.shlex(script.replace("\\\n", " ").replace("\n", "\n;"), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    call: list[str] = []
    for word in [*lexer, ";"]:
        if not set(word) <= OPERATORS:
            call.append(word)
            continue
        while call and ASSIGNMENT.fullmatch(call[0]):
            call.pop(0)
        if call and PROGRAM.fullmatch(call[0]):
            yield call[1:]
        call = []


def written(page: str) -> list[list[str]]:
    """Every call of `celeriac` on the page, in its examples and within its sentences."""
    prose = FENCE.sub("", read(page))
    inline = [code for code in re.findall(r"`((?:\./)?celeriac [^`]+)`", prose) if code not in NEEDS_A_READER]
    return [call for script in (*blocks(page, "sh"), *inline) for call in commands_of(script)]


def test_the_pages_are_found_and_say_something_to_type() -> None:
    assert {"README.md", "docs/upgrade.md", "docs/howto/run-in-production.md", "deploy/kubernetes/README.md"} <= set(PAGES)
    assert sum(len(written(page)) for page in PAGES) > 80


@pytest.mark.parametrize("doc", PAGES)
def test_every_command_is_one_that_the_command_line_takes(
    doc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = {}
    for words in written(doc):
        for name in filter(FILE.fullmatch, words):
            Path(name).touch()
        try:
            understood(words)
        except click.ClickException as error:
            refused[" ".join(words)] = error.format_message()
    assert refused == {}


@pytest.mark.parametrize("words", [["nonsense"], ["retry", "failed", "--nonsense"], ["users", "nonsense"], ["dispatch"]])
def test_what_the_command_line_does_not_take_would_be_noticed(words: list[str]) -> None:
    with pytest.raises(click.ClickException):
        understood(words)


def understood(words: list[str]) -> None:
    """Parses the words as the command line does, without running anything. Raises `click.ClickException`."""
    context, rest = click.Context(main), list(words)
    command: click.Command = main
    while isinstance(command, click.Group):
        if not rest:
            return
        found = command.get_command(context, rest[0])
        if found is None:
            raise click.UsageError(f"There is no command {rest[0]}.")
        command, name, rest = found, rest[0], rest[1:]
        context = click.Context(command, parent=context, info_name=name)
    command.make_context(context.info_name, rest)


@pytest.mark.parametrize("doc", PAGES)
def test_every_link_leads_somewhere(doc: str) -> None:
    folder = (PROJECT_DIR / doc).parent
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", read(doc))):
        address, _, anchor = target.partition("#")
        if "://" in address:
            continue
        place = (folder / address).resolve() if address else PROJECT_DIR / doc
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_names_every_page() -> None:
    index = read("docs/README.md")
    pages = [page.removeprefix("docs/") for page in PAGES if page.startswith(("docs/howto/", "docs/reference/", "docs/upgrade"))]
    assert [page for page in pages if f"({page})" not in index] == []
    assert "(docs/README.md)" in read("README.md")


@pytest.mark.parametrize("doc", PAGES)
def test_every_setting_that_is_named_exists(doc: str) -> None:
    known = {setting.validation_alias.choices[0] for setting in Settings.model_fields.values()}
    named = set(re.findall(r"\b(?:(?:CELERIAC|QUEUE|MAIL)_[A-Z_]*[A-Z]|DATABASE_URL|BROKER_URL|SECRET_KEY)\b", read(doc)))
    assert named - known - LIMITS - OF_THE_LAUNCHER == set()


@pytest.mark.parametrize("doc", [page for page in PAGES if blocks(page, "python")])
def test_every_piece_of_python_compiles_and_imports_what_there_is(doc: str) -> None:
    missing = []
    for text in blocks(doc, "python"):
        compile(text, doc, "exec")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("console"):
                module = import_module(node.module or "")
                missing += [f"{node.module}.{name.name}" for name in node.names if not hasattr(module, name.name)]
    assert missing == []


@pytest.mark.parametrize("doc", [page for page in PAGES if any("(Job)" in text for text in blocks(page, "python"))])
def test_the_job_types_that_are_shown_can_be_registered(doc: str) -> None:
    [text] = [text for text in blocks(doc, "python") if "(Job)" in text]
    shown = "\n".join(line for line in text.splitlines() if ".dispatch(" not in line)
    then = "from console.jobs.registry import job_type; print(job_type('invoices.send').queue)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{shown}\n{then}"], cwd=PROJECT_DIR, capture_output=True, text=True, check=False,
        env={"BROKER_URL": "redis://127.0.0.1:1/0"},
    )
    assert (done.returncode, done.stdout) == (0, "emails\n"), done.stderr
