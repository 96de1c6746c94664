"""The arrows between the packages of localreg: what each may import."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from pathlib import Path

import pytest

from localreg.cli.command_list import ALSO_ALONE, GROUPS, SUBCOMMANDS

PACKAGE = Path(__file__).parent.parent / "localreg"

ARROWS = {
    "errors": (),
    "system": ("errors",),
    "oci": ("errors", "system"),
    "explain": ("errors", "system"),
    "engines": ("errors", "system", "oci.access", "oci.credentials", "explain.sayings"),
    "registry": ("errors", "system", "oci", "engines"),
    "images": ("errors", "system", "oci", "engines", "registry"),
    "content": ("errors", "system", "oci", "engines", "registry"),
    "places": ("errors", "system", "oci", "content"),
    "clients": (
        *("errors", "system", "registry.defaults"),
        *("engines.port", "engines.values", "engines.plain_http", "engines.common.messages"),
    ),
    "tunnels": ("errors", "system", "oci", "engines", "registry"),
    "clusters": ("errors", "system", "engines", "registry", "clients"),
    "ci": ("errors", "system", "oci", "engines.values", "tunnels"),
    "doctor": (*("errors", "explain", "system", "oci", "engines", "registry", "content", "clients", "tunnels"),),
    "settings": ("errors", "system.address", "registry.options", "registry.defaults"),
    "output": (
        *("errors", "settings", "engines.values", "oci.artifact", "oci.config", "oci.manifest"),
        *("registry", "images", "content", "places", "clients", "tunnels", "clusters", "doctor", "explain"),
    ),
    "cli": ("",),
    "__init__": (),
    "__main__": ("cli",),
}
"""For each package or loose module, the ones it may import; "" stands for all. Each may import from itself."""

EVERYWHERE = ("__init__", "system.command_line")
"""The modules that every package may import."""

ADAPTERS = ("engines.docker", "engines.podman")
"""The packages that only engine discovery imports, so that a command loads one SDK at most."""
WITHOUT_SDK = ("engines.podman.service",)

OWNERS = {
    "backports": ("oci.archive",),
    "bcrypt": ("registry.htpasswd",),
    "cryptography": ("registry.x509", "registry.ca"),
    "docker": ("engines.docker",),
    "podman": ("engines.podman",),
    "requests": ("engines.docker", "engines.podman", "engines.common.reasons", "engines.common.ssh"),
    "urllib3": (
        *("engines.docker", "engines.podman", "engines.common.reasons", "engines.common.ssh", "engines.common.shells"),
        "oci",
    ),
    "psutil": ("system.ports", "tunnels.files"),
    "ruamel": ("clients.k3s",),
    "tomlkit": ("clients",),
    "truststore": ("oci",),
    "typer": ("cli",),
    "rich": ("output",),
}
"""For each library, the packages and modules that may import it."""

NEWER = ("compression",)
"""Modules of the standard library that Python 3.11 does not have."""

USE_CASES = ("registry", "images", "content", "places", "clusters")
"""The packages with a module for each command, of the same name."""
OTHER_USE_CASES = {
    "url": "registry.container",
    "trust": "clients.trust",
    "untrust": "clients.trust",
    "podman-fix": "clients.podman",
    "tunnel open": "tunnels.open",
    "tunnel ls": "tunnels.ls",
    "tunnel close": "tunnels.close",
    "ci": "ci",
    "config": "settings",
    "doctor": "doctor.run",
    "doctor explain": "explain.find",
    "completion": "cli.complete",
    "auth add": "registry.users",
    "auth rm": "registry.users",
    "auth ls": "registry.users",
    "logout": "registry.login",
}
NO_RESULT = {"logs", "completion", "ci"}
"""Commands that print what the registry wrote, or a script: nothing to lay out."""
SAME_RESULT = {
    "build": "push",
    "pull": "push",
    "untrust": "trust",
    "auth.add": "auth",
    "auth.rm": "auth",
    "auth.ls": "auth",
}
"""Commands whose result looks like that of another, or is laid out beside it."""

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def is_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(package in ("", module) or module.startswith(f"{package}.") for package in packages)


@functools.cache
def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports_of(path: Path) -> set[str]:
    """The modules of localreg that a module imports, without the names that it takes from them."""
    names = {name.removeprefix("localreg.") for name in imports_of(path) if name.startswith("localreg.")}
    return {name if name in MODULES else name.rpartition(".")[0] or "__init__" for name in names}


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_arrows(module: str) -> None:
    package = module.partition(".")[0]
    assert package in ARROWS, f"localreg.{package} has no line in ARROWS"
    for imported in own_imports_of(MODULES[module]):
        assert is_in(imported, (package, *EVERYWHERE, *ARROWS[package])), f"{module} imports {imported}"


def test_every_package_has_its_arrows() -> None:
    assert {module.partition(".")[0] for module in MODULES} == set(ARROWS)


@pytest.mark.parametrize("module", MODULES)
def test_libraries_are_imported_by_their_owners_only(module: str) -> None:
    for imported in imports_of(MODULES[module]):
        owners = OWNERS.get(imported.partition(".")[0])
        assert owners is None or is_in(module, owners), f"{module} imports {imported}"


@pytest.mark.parametrize("module", MODULES)
def test_adapters_are_imported_by_discovery_only(module: str) -> None:
    if is_in(module, ("engines.discovery", *ADAPTERS)):
        return
    imported = own_imports_of(MODULES[module])
    assert not {name for name in imported if is_in(name, ADAPTERS) and name not in WITHOUT_SDK}


WITHOUT_FINISHING = (
    "cli.session",
    "cli.gc",
    "cli.url",
    "cli.env",
    "cli.tunnel.open",
    "cli.auth.add",
    "cli.auth.rm",
    "cli.login",
)
"""What may ask for the running registry past the session: `gc` finishes a killed collection itself, and the others do
not look at the registry's content."""


@pytest.mark.parametrize("module", [module for module in MODULES if is_in(module, ("cli",))])
def test_commands_that_touch_content_finish_a_killed_collection(module: str) -> None:
    assert module in WITHOUT_FINISHING or "registry.running" not in own_imports_of(MODULES[module])


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_too_long_to_read(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= 300


def commands() -> list[str]:
    """Every command as it is typed, those of a group too."""
    names = [name for group in GROUPS.values() for name in group]
    found: list[str] = []
    for name in names:
        found += [name] if name not in SUBCOMMANDS or name in ALSO_ALONE else []
        found += [f"{name} {sub}" for sub in SUBCOMMANDS.get(name, ())]
    return found


@pytest.mark.parametrize("command", commands())
def test_a_command_has_one_name_everywhere(command: str) -> None:
    name = command.replace("-", "_").replace(" ", ".")
    assert f"cli.{name}" in MODULES
    use_case = OTHER_USE_CASES.get(command)
    assert use_case in MODULES if use_case else any(f"{package}.{name}" in MODULES for package in USE_CASES)
    if command not in NO_RESULT:
        assert f"output.{SAME_RESULT.get(name, name)}" in MODULES


def test_declared_dependencies_are_the_imported_ones() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    declared = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    imported = {name.partition(".")[0] for path in MODULES.values() for name in imports_of(path)}
    others = imported - sys.stdlib_module_names - {"localreg", *NEWER}
    assert others == {re.split(r"[^\w]", requirement)[0] for requirement in declared} == set(OWNERS)
