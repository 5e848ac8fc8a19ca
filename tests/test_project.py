"""The project's own papers and configuration agree with the code."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic.fields import FieldInfo

from api.permissions import Role
from api.problems import KNOWN
from cli.main import app
from cli.settings import Settings
from scripts.check_tree import MOST_SOURCE_LINES, faults_of, project_files

ROOT = Path(__file__).parents[1]
ROOMS = ("worklist", "allocation", "insight", "dicom_listener", "hl7_listener", "api", "cli")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
CONFORMANCE = ROOT / "docs" / "dicom-conformance.md"
README = (ROOT / "README.md").read_text()
PAPERS = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAPERS += [CONFORMANCE, *DECISIONS]


# The tree -------------------------------------------------------------------------------------------------


def test_the_files_of_the_project_are_in_order() -> None:
    assert [fault for path in project_files(ROOT) for fault in faults_of(path, path.relative_to(ROOT))] == []


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"see https:" + b"//packages.planted.io/simple", "names the address packages.planted.io"),
        (b"it lies in /ho" + b"me/somebody/radpool", "a path of one machine"),
        (b"as said in issue" + b" 12", "a discussion that is not here"),
        (b"\xff\xfe\x00", "not text"),
        (b"x = 1\n" * (MOST_SOURCE_LINES + 1), f"split at {MOST_SOURCE_LINES}"),
        (b"#" * 500_000, "is not written by hand"),
    ],
)
def test_a_file_that_is_not_in_order_is_found(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "planted.py"
    path.write_bytes(content)
    assert any(fault in found for found in faults_of(path, Path("planted.py")))


def test_addresses_of_this_machine_and_invented_ones_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "allowed.md"
    path.write_text(
        "http:" + "//127.0.0.1:8080 and https:" + "//radpool.example/api and http:" + "//www.apache.org/licenses/"
    )
    assert list(faults_of(path, Path("allowed.md"))) == []


# Makefile and scripts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["demo", "test", "check", "bench", "proofs", "lock", "format", "clean"])
def test_the_makefile_has_the_target_and_its_help(target: str) -> None:
    assert re.search(rf"^{target}:.*## \S", (ROOT / "Makefile").read_text(), re.MULTILINE)


SCRIPTS = [
    path for path in (*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run") if path.is_file() and path.suffix != ".py"
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_may_be_executed_and_can_be_read_by_its_shell(script: Path) -> None:
    shell = script.read_text().splitlines()[0].removeprefix("#!").removeprefix("/usr/bin/env ")
    assert os.access(script, os.X_OK)
    assert subprocess.run([shell, "-n", script], capture_output=True, check=False).returncode == 0


# Requirements ---------------------------------------------------------------------------------------------


def test_what_the_product_runs_on_is_what_is_tested() -> None:
    product, development = _pins("requirements.lock"), _pins("requirements-dev.lock")
    assert {name: development.get(name) for name in product} == product


@pytest.mark.parametrize(
    ("lock", "extras"), [("requirements.lock", ["build"]), ("requirements-dev.lock", ["build", "dev"])]
)
def test_everything_that_is_required_is_pinned(lock: str, extras: list[str]) -> None:
    project = PROJECT["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    names = {re.split(r"[\[<>=!~; ]", one)[0].lower().replace("_", "-") for one in wanted}
    assert names - {"radpool"} - set(_pins(lock)) == set()


def _pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", (ROOT / lock).read_text(), re.MULTILINE))


# Docker compose: read as text, since no container can be run here ------------------------------------------


def test_every_service_of_compose_that_is_ours_runs_a_command_that_exists() -> None:
    ours = {name: one for name, one in COMPOSE["services"].items() if one["image"].startswith("radpool:")}
    assert set(ours) == {"migrate", "listener", "hl7", "allocator", "sequencer", "api"}
    for one in ours.values():
        options, command = {"--help"}, typer.main.get_command(app)
        for word in one["command"]:
            if word.startswith("--"):
                assert word in options
            elif hasattr(command, "commands") and word in command.commands:
                command = command.commands[word]
                options = {name for parameter in command.params for name in parameter.opts}
            else:  # the value of an option
                assert re.match(r"[\d.:/]|/data", word)
        assert not hasattr(command, "commands") or command.name == "serve"


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_the_image_of_a_service_is_pinned(service: str) -> None:
    name, _, tag = COMPOSE["services"][service]["image"].partition(":")
    assert name
    assert re.match(r"\d", tag)


def test_compose_holds_no_password() -> None:
    told = [(name, str(value)) for one in COMPOSE["services"].values() for name, value in _environment(one).items()]
    secrets = [value for name, value in told if "PASSWORD" in name]
    secrets += [found for _, value in told for found in re.findall(r"://[^:/]+:(.*)@", value)]
    assert len(secrets) >= 3
    assert [secret for secret in secrets if not re.fullmatch(r"\$\{[A-Z_]+:\?[^}]*\}", secret)] == []


def _environment(service: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = service.get("environment", {})
    return found


def test_what_compose_needs_told_stands_empty_in_the_example() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE))
    required = set(re.findall(r"\$\{([A-Z_]+):\?", compose))
    assert {name for name, value in example.items() if not value} == required
    assert set(example) <= set(re.findall(r"\$\{([A-Z_]+)", compose))


def test_every_setting_that_compose_gives_a_service_is_a_setting() -> None:
    ours = [one for one in COMPOSE["services"].values() if one["image"].startswith("radpool:")]
    given = {name for one in ours for name in _environment(one)}
    assert given <= {f"RADPOOL_{name.upper()}" for name in Settings.model_fields}


def test_the_image_takes_in_every_room_and_no_more() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == {*ROOMS, "LICENSE", "README.md", "pyproject.toml", "requirements.lock"}
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(ROOMS)


# Papers ---------------------------------------------------------------------------------------------------


def test_decisions_are_numbered_without_gaps() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_why_what_what_follows_and_what_enforces_it_on_one_screen(decision: Path) -> None:
    lines = decision.read_text().splitlines()
    assert lines[0].startswith(f"# {decision.name[:4]} ")
    assert [line for line in lines if line.startswith("## ")] == [
        "## Context",
        "## Decision",
        "## Consequences",
        "## What enforces it",
    ]
    assert len(lines) <= 60


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.stem)
def test_every_path_that_a_paper_names_is_there(paper: Path) -> None:
    tops = {path.name for path in ROOT.iterdir()} - {"var"}
    named = {word for word in re.findall(r"`([\w.-]+(?:/[\w.-]+)*)`", paper.read_text()) if "NNNN" not in word}
    paths = {word for word in named if word.split("/")[0] in tops or word.endswith(".md")}
    assert {word for word in paths if not (ROOT / word).exists()} == set()


def test_every_decision_that_a_source_file_names_is_there() -> None:
    named = {
        name
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for name in re.findall(r"docs/decisions/[\w-]+\.md", path.read_text())
    }
    assert named
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_the_readme_lists_every_setting_with_its_default_and_meaning() -> None:
    rows = dict(re.findall(r"^\| `(RADPOOL_\w+)` \| (.*) \|$", README, re.MULTILINE))
    assert rows == {
        f"RADPOOL_{name.upper()}": f"{_default(field)} | {field.description}"
        for name, field in Settings.model_fields.items()
    }


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "by the machine"
    return "none" if field.default is None else str(field.default)


def test_the_readme_lists_every_command() -> None:
    commands: Any = typer.main.get_command(app)
    expected = set()
    for name, command in commands.commands.items():
        groups = getattr(command, "commands", {})
        expected |= {f"{name} {sub}" for sub in groups} if groups and name != "serve" else {name}
    assert set(re.findall(r"^\| `radpool ([a-z -]+)` \|", README, re.MULTILINE)) == expected


def test_the_readme_lists_every_problem_word_with_its_status() -> None:
    listed = {
        (word, status)
        for words, status in re.findall(r"^\| (`[a-z`, -]+`) \| (\d{3}|any) \|", README, re.MULTILINE)
        for word in re.findall(r"`([a-z-]+)`", words)
    }
    sources = "".join(path.read_text() for path in (ROOT / "api").rglob("*.py"))
    raised = set(re.findall(r"[Pp]roblem\(\s*(\d{3}), \"([a-z-]+)\"", sources))
    known = {(word, str(status)) for status, word, _ in KNOWN.values()} | {(word, status) for status, word in raised}
    assert known - listed == set()


def test_the_readme_names_every_role() -> None:
    assert {role for role in Role if f"`{role}`" not in README} == set()


def test_the_changelog_tells_of_this_version() -> None:
    assert f"## {PROJECT['project']['version']}" in (ROOT / "CHANGELOG.md").read_text()


# Pure modules ---------------------------------------------------------------------------------------------

CONTRACTS = {one["id"]: one for one in PROJECT["tool"]["importlinter"]["contracts"]}
PURE = frozenset(CONTRACTS["pure"]["source_modules"])
#: Libraries that compute and touch nothing.
COMPUTING = frozenset({"cryptography", "pydantic", "nhs_number", "holidays", "hl7"})
#: Of the standard library, what reaches outside or holds state.
OUTSIDE = frozenset(
    (
        *("asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "selectors", "shutil", "signal"),
        *("socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib.request"),
    )
)
#: They compute alone, but take the shapes that they fill from the modules of the use cases.
SHAPES_FROM_USE_CASES = frozenset(f"hl7_listener.{name}" for name in ("fields", "orders", "patients", "results"))


def test_every_module_that_calls_itself_pure_is_held_to_it() -> None:
    calls_itself_pure = {
        name
        for name, path in _modules()
        if not name.startswith("cli.") and re.search(r"\bPure(?! but)\b", ast.get_docstring(_tree(path)) or "")
    }
    assert calls_itself_pure - SHAPES_FROM_USE_CASES - PURE == set()


def test_every_module_that_is_held_to_be_pure_is_there() -> None:
    assert PURE - {name for name, _ in _modules()} == set()


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_imports_pure_modules_and_what_only_computes(module: str) -> None:
    assert {name for name in _imports(ROOT / f"{module.replace('.', '/')}.py") if not _is_pure(name)} == set()


def _is_pure(name: str) -> bool:
    top = name.split(".", maxsplit=1)[0]
    outside = any(name == one or name.startswith(f"{one}.") for one in OUTSIDE)
    return name in PURE or top in COMPUTING or (top in sys.stdlib_module_names and not outside)


def _modules() -> Iterator[tuple[str, Path]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _imports(path: Path) -> Iterator[str]:
    """Give the modules that a file imports; of `from package import module` the module, where it is one."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = ROOT / node.module.replace(".", "/") / f"{alias.name}.py"
                yield f"{node.module}.{alias.name}" if inner.is_file() else node.module
