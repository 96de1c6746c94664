"""Who can reach a registry beyond this machine, and what keeps them from using it."""

from __future__ import annotations

from dataclasses import replace

from localreg.errors import ConflictError, UsageError
from localreg.registry.container import Registry
from localreg.registry.defaults import DEFAULT_HOST
from localreg.registry.options import RegistryOptions
from localreg.system.address import Address, is_loopback
from localreg.system.command_line import CommandLine

_ALLOWED = "insecure-exposure"


def check_exposure(options: RegistryOptions, *, asked: RegistryOptions, command: CommandLine, allowed: bool) -> None:
    """Check that a registry which others can reach has TLS and a login.

    Args:
        options: Of the registry that is to be created.
        asked: The options that were typed or set: the hint keeps them.
        command: The command that asks for it, for the hint.
        allowed: It need not have them.

    Raises:
        UsageError: it has not both.
    """
    host = options.host or DEFAULT_HOST
    missing = _missing(options)
    others = replace(asked, host=None, tls=asked.tls or None, auth=asked.auth or None)
    words = (*command.words, "--host", host, *others.words)
    if allowed or not missing or Address(host, 0).is_loopback:
        return
    raise UsageError(
        f"{_who(Address(host, 0))} could use the registry, and it has no {' and no '.join(missing.values())}",
        hint=CommandLine(*words, *missing),
        details=[f"`{CommandLine(*words, f'--{_ALLOWED}')}` opens it all the same"],
    )


def exposure_of(registry: Registry) -> str | None:
    """The warning for a registry of localreg that others can use or overhear; None for one that is safe."""
    bound = None if registry.published is None else registry.published.bound
    missing = _missing(registry.options)
    if bound is None or bound.is_loopback or not missing or not registry.is_ours:
        return None
    if "--auth" in missing:
        return f"{_who(bound)} can pull, push and delete images: the registry has no password"
    return f"{_who(bound)} may read the password on its way to the registry, which has no TLS"


def _missing(options: RegistryOptions) -> dict[str, str]:
    """The options that keep others out and that a registry does not have, and what each gives it."""
    return {
        **({} if options.tls else {"--tls": "TLS"}),
        **({} if options.auth else {"--auth": "password"}),
    }


def _who(bound: Address) -> str:
    return f"anyone who can reach {'this machine' if bound.is_wildcard else bound.host}"


def is_localhost_of_another(registry: Registry) -> bool:
    """References to a registry begin with `localhost` or the like, and that of this machine does not lead to it."""
    published, location = registry.published, registry.location
    if published is None or location is None:
        return False
    is_here = published.from_host is not None and published.from_host.is_loopback
    return not is_here and is_loopback(location)


def localhost_of_another(programs: str, location: str, *, exists: bool = True) -> ConflictError:
    """The error that programs of this machine do not reach a registry on the `localhost` of another one.

    Args:
        programs: Their names.
        location: The registry's.
        exists: It was created.
    """
    place = f"{'is' if exists else 'would be'} {location} of another machine"
    return ConflictError(f"{programs} of this machine cannot reach the registry, which {place}")
