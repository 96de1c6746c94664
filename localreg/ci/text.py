"""The text of a pipeline: the template of its CI system, filled in with lines of shell that they share.

The lines depend on the place of the engine that pushes, because the `localhost` of a reference is the engine's. On most
systems that is also the job's. GitLab's `docker:dind` runs beside the job and has its own network, so that `ssh` must
run in a container in that network.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Mapping
from importlib.resources import files

from localreg.ci.request import Pipeline
from localreg.system.ssh import SshAddress

_PLACE = re.compile(r"^(?P<indent> *)@\{(?P<whole>\w+)\}$|@\{(?P<part>\w+)\}", re.MULTILINE)
_GIVEN_KEY = '-i "$key" -o IdentitiesOnly=yes'
_GIVEN_HOSTS = ' -o UserKnownHostsFile="$known_hosts"'
_IS_FILE = {
    # The variable may contain the key itself, so these messages must not show its value.
    system: f"""[ -f "$key" ] || {{ echo 'error: {said}' >&2; exit 1; }}"""
    for system, said in {
        "bitbucket": "no SSH key is set in Repository settings > Pipelines",
        "gitlab": "the variable LOCALREG_SSH_KEY must be of type File",
        "shell": "LOCALREG_SSH_KEY is not the path of a file",
    }.items()
}
_WITH_KNOWN_HOSTS = frozenset({"github", "gitlab"})


def pipeline_text(pipeline: Pipeline) -> str:
    """A pipeline as the text of a file."""
    by_hand = pipeline.system == "shell"
    has_known_hosts = pipeline.system in _WITH_KNOWN_HOSTS
    values = {
        "host": pipeline.host,
        "port": _login(pipeline.host)[1],
        "target": _target(pipeline),
        "no_registry": _no_registry(pipeline),
        "is_file": _IS_FILE.get(pipeline.system, ""),
        # Without a key, ssh asks the agent.
        "identity": f"${{key:+{_GIVEN_KEY}}}" if by_hand else _GIVEN_KEY,
        "known_hosts": _GIVEN_HOSTS if has_known_hosts else "",
        "build_key": "${key:-$SSH_AUTH_SOCK}" if by_hand else "$key",
    }
    own_files = ["files.sh", *(["hosts.sh"] if has_known_hosts else [])]
    values["files"] = "\n".join(_filled(name, values) for name in own_files)
    values["tunnel"] = _filled("tunnel.sh", values)
    values["sidecar"] = _filled("sidecar.sh", values)
    values["build"] = _filled(f"{pipeline.engine}.sh", values)
    return _filled(_template_of(pipeline), values)


def _template_of(pipeline: Pipeline) -> str:
    if pipeline.system == "shell":
        return "shell.sh"
    return f"gitlab-{pipeline.engine}.yml" if pipeline.system == "gitlab" else f"{pipeline.system}.yml"


def _target(pipeline: Pipeline) -> str:
    values = (("host", _login(pipeline.host)[0]), ("remote", str(pipeline.remote)), ("image", pipeline.image))
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in values)


def _login(host: str) -> tuple[str, str]:
    """The host and the option for its port, as `ssh` takes them: it allows no IPv6 address in a URL."""
    if "[" not in host:
        return host, ""
    address = SshAddress.parse(host)
    login = f"{address.user}@{address.host}" if address.user else address.host
    return login, f" -p {address.port}" if address.port else ""


def _no_registry(pipeline: Pipeline) -> str:
    said = (
        f"error: no registry answers at {pipeline.remote} on {pipeline.host}",
        f"hint: run this on the machine with the registry: {pipeline.open_command}",
    )
    return "\n".join(f"echo {shlex.quote(line)} >&2" for line in said)


def _filled(name: str, values: Mapping[str, str]) -> str:
    """Fill in a template, without its last line break. A value on a separate line is indented like that line."""

    def put(place: re.Match[str]) -> str:
        if place["part"]:
            return values[place["part"]]
        return textwrap.indent(values[place["whole"]], place["indent"])

    return _PLACE.sub(put, files("localreg.ci").joinpath(f"templates/{name}").read_text().rstrip("\n"))
