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

from localreg.ci.request import REGISTRY, Pipeline
from localreg.system.ssh import SshAddress

_PLACE = re.compile(r"^(?P<indent> *)@\{(?P<whole>\w+)\}(?P<end>\n|\Z)|@\{(?P<part>\w+)\}", re.MULTILINE)
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
_PASSWORD = "LOCALREG_PASSWORD"  # noqa: S105 -- the name of a variable
_PASSWORD_PLACE = {
    "bitbucket": "Set in Repository settings > Pipelines > Repository variables, secured:",
    "github": "",
    "gitlab": "And of type Variable, masked:",
    "shell": "",
}
_NOT_SET = {
    "bitbucket": "this variable is not set in Repository settings > Pipelines",
    "github": f"the secret {_PASSWORD} is not set, or not for this event",
    "gitlab": "this variable is not set, or not for this branch",
    "shell": "this is the password of the registry",
}


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
        **_login_values(pipeline),
        "build_key": "${key:-$SSH_AUTH_SOCK}" if by_hand else "$key",
    }
    own_files = ["files.sh", *(["hosts.sh"] if has_known_hosts else [])]
    values["files"] = "\n".join(_filled(name, values) for name in own_files)
    values["tunnel"] = _filled("tunnel.sh", values)
    values["sidecar"] = _filled("sidecar.sh", values)
    values["build"] = _filled(f"{pipeline.engine}.sh", values)
    return _filled(_template_of(pipeline), values)


def _login_values(pipeline: Pipeline) -> dict[str, str]:
    """The lines for a registry that requires a login or speaks TLS; empty where none is needed."""
    scheme, insecure = ("https", "-k ") if pipeline.tls else ("http", "")
    values = {
        # Without a login, only the root of the registry answers with success.
        "probe": f"{scheme}://{REGISTRY.replace('localhost', '127.0.0.1')}/{'' if pipeline.user else 'v2/'}",
        "curl_tls": insecure,
        "wget_tls": "--no-check-certificate " if pipeline.tls else "",
    }
    if pipeline.user is None:
        return {**values, "password_note": "", "password_env": "", "log_in": "", "log_out": ""}
    place = [f"# {line}" for line in (_PASSWORD_PLACE[pipeline.system],) if line]
    names = {"github": f"  {f'the secret {_PASSWORD}':<33}", "shell": _PASSWORD}
    name = names.get(pipeline.system, f"  {_PASSWORD}")
    note = f"# {name}  the password of the registry's user `{pipeline.user}`: localreg auth add {pipeline.user}"
    flags = "--tls-verify=false " if pipeline.engine == "podman" else ""
    log_in = (
        f"printf '%s' \"${{{_PASSWORD}:?{_NOT_SET[pipeline.system]}}}\" |\n"
        f"  {pipeline.engine} login {flags}--username {pipeline.user} --password-stdin {REGISTRY}"
    )
    return {
        **values,
        "password_note": "\n".join([*place, note]),
        "password_env": f"env:\n  {_PASSWORD}: ${{{{ secrets.{_PASSWORD} }}}}",
        "log_in": log_in,
        "log_out": f"{pipeline.engine} logout {REGISTRY} >/dev/null 2>&1 || true\n  ",
    }


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
        # A line for nothing goes away.
        return textwrap.indent(values[place["whole"]], place["indent"]) + place["end"] if values[place["whole"]] else ""

    return _PLACE.sub(put, files("localreg.ci").joinpath(f"templates/{name}").read_text().rstrip("\n"))
