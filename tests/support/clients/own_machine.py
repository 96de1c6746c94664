"""A machine of a client in a folder of its own, and stand-ins of programs on its PATH."""

from __future__ import annotations

from pathlib import Path

from localreg.clients.port import Client, Machine, Target

Tree = dict[str, bytes | None]


def make_machine(root: Path, **environ: str) -> Machine:
    """A machine with nothing but a shell on its PATH."""
    for folder in ("etc", "home", "bin"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    return Machine({"HOME": str(root / "home"), "PATH": f"{root / 'bin'}:/usr/bin:/bin", **environ}, root)


def alone(machine: Machine) -> Machine:
    """The same machine without the programs of this one."""
    return Machine({**machine.environ, "PATH": str(machine.root / "bin")}, machine.root)


def put_program(machine: Machine, name: str, script: str) -> None:
    """Put a stand-in on its PATH, as a shell script."""
    program = machine.root / "bin" / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def put_file(machine: Machine, path: str, content: bytes) -> Path:
    """Put a file into it."""
    file = machine.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def take_tree(machine: Machine) -> Tree:
    """All files of it with their content, and all folders."""
    return {
        str(path.relative_to(machine.root)): path.read_bytes() if path.is_file() else None
        for path in sorted(machine.root.rglob("*"))
        if not path.is_relative_to(machine.root / "bin")
    }


def trust(client: Client, *locations: str, ca: str | None = None, name: str = "registry") -> bool:
    """Tell a client of a registry, or take all back; says whether something was written."""
    plan = client.plan(Target(name, locations, ca))
    client.apply(plan)
    return any(change.changes for change in plan.changes)
