"""The text of a pipeline: its system's template, with the same few lines of shell in each.

What the lines do depends on where the engine is that pushes: the `localhost` of a reference is the engine's. In most
places that is the job's own. GitLab's `docker:dind` runs beside the job, with a network of its own: so `ssh` runs in a
container in that network.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Mapping
from importlib.resources import files

from localreg.ci.request import Pipeline

_PLACE = re.compile(r"^(?P<indent> *)@\{(?P<whole>\w+)\}$|@\{(?P<part>\w+)\}", re.MULTILINE)
_GIVEN_KEY = '-i "$key" -o IdentitiesOnly=yes'
_GIVEN_HOSTS = ' -o UserKnownHostsFile="$known_hosts"'
_IS_FILE = {
    # What the variable holds may be the key itself, and is said to nobody.
    system: f"""[ -f "$key" ] || {{ echo 'error: {said}' >&2; exit 1; }}"""
    for system, said in {
        "bitbucket": "there is no SSH key in Repository settings > Pipelines",
        "gitlab": "the variable LOCALREG_SSH_KEY has to be of type File",
        "shell": "LOCALREG_SSH_KEY is not the name of a file",
    }.items()
}
_WITH_KNOWN_HOSTS = frozenset({"github", "gitlab"})


def pipeline_text(pipeline: Pipeline) -> str:
    """A pipeline as it is written into a file."""
    by_hand = pipeline.system == "shell"
    values = {
        "host": pipeline.host,
        "target": _target(pipeline),
        "no_registry": _no_registry(pipeline),
        "is_file": _IS_FILE.get(pipeline.system, ""),
        # Where a key may be missing, ssh asks the agent.
        "identity": f"${{key:+{_GIVEN_KEY}}}" if by_hand else _GIVEN_KEY,
        "known_hosts": _GIVEN_HOSTS if pipeline.system in _WITH_KNOWN_HOSTS else "",
        "build_key": "$agent" if by_hand else "$key",
    }
    values["tunnel"] = _filled("tunnel.sh", values)
    values["sidecar"] = _filled("sidecar.sh", values)
    values["build"] = _filled(f"{pipeline.engine}.sh", values)
    return _filled(_template_of(pipeline), values)


def _template_of(pipeline: Pipeline) -> str:
    if pipeline.system == "shell":
        return "shell.sh"
    return f"gitlab-{pipeline.engine}.yml" if pipeline.system == "gitlab" else f"{pipeline.system}.yml"


def _target(pipeline: Pipeline) -> str:
    values = (("host", pipeline.host), ("remote", str(pipeline.remote)), ("image", pipeline.image))
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in values)


def _no_registry(pipeline: Pipeline) -> str:
    said = (
        f"error: no registry answers at {pipeline.remote} of {pipeline.host}",
        f"hint: on the machine with the registry: {pipeline.open_command}",
    )
    return "\n".join(f"echo {shlex.quote(line)} >&2" for line in said)


def _filled(name: str, values: Mapping[str, str]) -> str:
    """A template without its last line break; what is several lines has a line of its own, and is indented as it is."""

    def put(place: re.Match[str]) -> str:
        if place["part"]:
            return values[place["part"]]
        return textwrap.indent(values[place["whole"]], place["indent"])

    return _PLACE.sub(put, files("localreg.ci").joinpath(f"templates/{name}").read_text().rstrip("\n"))
