"""The arrows between the layers: cli -> use cases -> engines, oci, system -> errors."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "localreg"

LAYERS = [
    {"errors"},
    {"system"},
    {"oci"},
    {"engines"},
    {"registry"},
    {"clients", "content", "images", "settings", "tunnels"},
    {"output", "ci"},
    {"cli", "__main__"},
]
"""From the bottom to the top; a module imports from its own layer and from those below."""

OWNERS = {
    "docker": ("engines.docker",),
    "podman": ("engines.podman",),
    "requests": ("engines.docker", "engines.podman", "engines.common.reasons"),
    "urllib3": ("engines.docker", "engines.podman", "engines.common.reasons", "oci."),
    "psutil": ("system.ports", "tunnels.files"),
    "tomlkit": ("clients.",),
    "typer": ("cli.",),
    "rich": ("output.",),
}
"""Who alone imports what."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def layer_of(module: str) -> int:
    for level, names in enumerate(LAYERS):
        if any(
            module == name or (module.startswith(f"{name}.") and not is_named_below(module, level)) for name in names
        ):
            return level
    raise AssertionError(f"localreg.{module} belongs to no layer: add it to LAYERS")


def is_named_below(module: str, level: int) -> bool:
    return any(module in names for names in LAYERS[:level])


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_module(imported: str) -> str | None:
    """The module of ours that an import names, without the name that is taken from it."""
    if not imported.startswith("localreg."):
        return None
    name = imported.removeprefix("localreg.")
    while name and not (
        (PACKAGE / f"{name.replace('.', '/')}.py").exists() or (PACKAGE / name.replace(".", "/")).is_dir()
    ):
        name = name.rpartition(".")[0]
    return name or None


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_imports_from_a_layer_above_its_own(path: Path) -> None:
    module = name_of(path)
    if module == "__init__":
        return
    for imported in filter(None, map(own_module, imports_of(path))):
        assert layer_of(imported) <= layer_of(module), f"localreg.{module} imports localreg.{imported}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_others_wrote_is_imported_by_its_owner_alone(path: Path) -> None:
    module = name_of(path)
    for imported in imports_of(path):
        owners = OWNERS.get(imported.partition(".")[0])
        assert owners is None or module.startswith(owners), f"localreg.{module} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_select_imports_the_adapters(path: Path) -> None:
    module = name_of(path)
    if module.startswith(("engines.discovery.select", "engines.docker", "engines.podman")):
        return
    adapters = {
        name
        for name in imports_of(path)
        if name.startswith(("localreg.engines.docker.engine", "localreg.engines.podman.engine"))
    }
    assert not adapters


def test_what_is_imported_is_what_is_declared() -> None:
    declared = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    imported = {name.partition(".")[0] for path in MODULES for name in imports_of(path)}
    others = imported - sys.stdlib_module_names - {"localreg"}
    assert others == {re.sub(r"[^\w-].*", "", requirement) for requirement in declared} == set(OWNERS)
