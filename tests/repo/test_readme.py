"""Commands in the written pages exist: whoever copies one is not told that there is no such thing."""

import ast
import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from eventmill.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:EVENTMILL_\w+=\S+ )?(?:eventmill|make|python -m) [^`]+)`")


def blocks(page: Path, language: str) -> list[str]:
    return [text for name, text in FENCE.findall(page.read_text(encoding="utf-8")) if name == language]


def commands(page: Path) -> list[list[str]]:
    """Every command line of a page as words, in blocks and in running text; comments and variables cut off."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += INLINE.findall(FENCE.sub("", text))
    found = []
    for line in lines:
        if re.match(r"(?:[A-Z_]+=\S+ )*(?:eventmill|make|python -m) ", line):
            words = shlex.split(line, comments=True)
            found.append([word for word in words if not re.match(r"[A-Z_]+=", word)])
    return found


def command_at(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that `eventmill WORDS` reaches, and the words left for it. Raises KeyError for an unknown name."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(click.Context(command), rest[0])
        if found is None:
            raise KeyError(" ".join(words))
        command, rest = found, rest[1:]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_eventmill_command_exists_with_its_options(page: Path) -> None:
    for program, *words in commands(page):
        if program != "eventmill" or "…" in words:
            continue
        command, rest = command_at(words)
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
        assert {word for word in rest if word.startswith("--")} <= known, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {words[1] for words in commands(page) if words[0] == "make"} <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_module_that_is_to_be_run_exists(page: Path) -> None:
    for words in commands(page):
        if words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]) is not None, words


def test_the_readme_knows_every_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in main.list_commands(click.Context(main)):
        assert f"`eventmill {name}" in text, name
        command, _ = command_at([name])
        if isinstance(command, click.Group):
            for one in command.list_commands(click.Context(command)):
                assert f"`eventmill {name} {one}`" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_are_python_and_import_what_is_installed(page: Path) -> None:
    for block in blocks(page, "python"):
        tree = ast.parse(block)
        names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        assert all(importlib.util.find_spec(name) for name in names)


def test_every_file_and_folder_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w./])((?:tests|docs|eventmill|ingest_service|query_service)/[\w./-]*)", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
