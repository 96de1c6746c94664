"""Pipelines taken apart: the lines of shell that their system would run.

`snippets.py FOLDER` writes those of every kind of pipeline into files, for shellcheck.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from localreg.ci.request import Request, plan_pipeline
from localreg.ci.text import pipeline_text

HOST = "ci@build.example.com"
KINDS = [
    Request("bitbucket", "docker", HOST, "team/app"),
    Request("github", "docker", HOST, "team/app"),
    Request("github", "podman", HOST, "team/app"),
    Request("gitlab", "docker", HOST, "team/app"),
    Request("gitlab", "podman", HOST, "team/app"),
    Request("shell", "docker", HOST, "team/app"),
    Request("shell", "podman", HOST, "team/app"),
]
"""Every pipeline that there is."""
WITH_LOGIN = [replace(kind, user="ci", tls=True) for kind in KINDS]
"""The same for a registry that requires a login and speaks TLS."""


@dataclass(frozen=True)
class Step:
    """Lines of shell that run in a shell of their own."""

    script: str
    env: Mapping[str, str] = field(default_factory=dict)


def parsed(text: str) -> Any:
    """A snippet as YAML 1.2 has it, where `on` is a word."""
    return YAML(typ="safe", pure=True).load(text)


def steps(system: str, text: str) -> list[Step]:
    """What runs, in order."""
    if system == "shell":
        return [Step(text)]
    found = parsed(text)
    if system == "github":
        return [Step(step["run"], step.get("env", {})) for step in found["jobs"]["image"]["steps"] if "run" in step]
    job = found["pipelines"]["default"][0]["step"] if system == "bitbucket" else found["push-image"]
    return [Step("\n".join(job["script"]))]


def with_values(env: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """An environment with GitHub's secrets and variables put in."""
    return {
        name: re.sub(r"\$\{\{ *(?:secrets|vars)\.(\w+) *\}\}", lambda found: values[found[1]], text)
        for name, text in env.items()
    }


if __name__ == "__main__":
    for kind in (*KINDS, *WITH_LOGIN):
        text = pipeline_text(plan_pipeline(kind, folder="app", tunnels=()))
        for number, step in enumerate(steps(kind.system, text)):
            path = Path(sys.argv[1]) / f"{kind.system}-{kind.engine}{'-login' if kind.user else ''}-{number}.sh"
            path.write_text(step.script)
