"""The result of `inspect` on a terminal: a head, then a section for each part that there is."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from localreg.content.inspect import Inspected
from localreg.content.inspected import InspectedManifest, Layer
from localreg.content.referrers import Referrer
from localreg.content.short_digest import shown
from localreg.oci.config import HistoryEntry, ImageConfig
from localreg.output.block import aligned, fold
from localreg.output.table import columns
from localreg.output.text import ago, printable, short_digest, shortened, size, with_short_digests

_INDENT = "  "
_WIDE = 120
"""Columns of a terminal that has room for more names of one thing."""
_STEP = "CREATED BY"
_LAYER_HEADINGS = ("DIGEST", "SIZE", "FILE", "TYPE", "SHARED WITH", _STEP)
_LEAST = 20
"""Columns that the steps of a build need, or they are left out."""
_FEW = 4
"""Platforms that the first line names."""
_LONGEST = 500
"""Characters of a value in a section; `--json` has all of it."""
_GAP = 3
_ANY = 1 << 20
"""A width at which nothing needs folding."""
_USUAL_LAYERS = frozenset(
    {
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    }
)
_NO_COMMAND = re.compile(r"^/bin/sh -c #\(nop\)\s*")
_SHELL = re.compile(r"^(?:RUN )?/bin/sh -c ")
_SCHEME = re.compile(r"\bhttps?://")
_BUILDKIT = re.compile(r"\s*# buildkit$")


def screen(result: Inspected, width: int, *, command: str) -> str:
    """Lay out a manifest or an index.

    Args:
        result: Of `inspect`.
        width: Columns of the terminal.
        command: The start of a command for this registry.
    """
    now, only = datetime.now(UTC), result.only
    room = width - len(_INDENT)
    sections = [_head(result, only, width, command=command, now=now)]
    if result.children:
        title = "Platforms" if any(one.platform for one in result.children) else "Manifests"
        sections.append(_section(title, _manifests(result.children, room, now=now)))
    if only is not None:
        of = f" of {printable(only.platform)}" if result.is_index and only.platform else ""
        if only.config is not None:
            sections.append(_section(f"Config{of}", _facts(_config(only.config), room)))
        beside = _layers_with_steps(only, room)
        layers = _layers(only, room) if beside is None else beside
        sections.append(_section(f"{'Layers' if only.artifact is None else 'Content'}{of}", layers))
        if beside is None:
            sections.append(_section(f"History{of}", _history(only, room)))
    sections += [
        _section("Annotations", _facts([(name, [text]) for name, text in result.annotations.items()], room)),
        _section("Attestations", _referrers(result.attestations, result, room)),
        _section("Referrers", _referrers(result.referrers, result, room)),
    ]
    return "\n\n".join(filter(None, sections))


def _section(title: str, content: str) -> str:
    """A heading and what it is about; empty without that."""
    return "\n".join([title, *(f"{_INDENT}{line}".rstrip() for line in content.splitlines())]) if content else ""


def _head(result: Inspected, only: InspectedManifest | None, width: int, *, command: str, now: datetime) -> str:
    found = result.found
    total = "" if result.size is None else f", {size(result.size)}"
    facts = [("type", f"{result.media_type}, {size(len(found.stored.data))}")]
    if only is not None and only.config_blob is not None:
        blob = only.config_blob
        kind = "" if only.artifact is None else f", {blob.media_type}"
        facts.append(("config", f"{short_digest(blob.digest)}{kind}, {size(blob.size)}"))
    moments = (("created", result.created), ("pushed", result.pushed))
    facts += [(name, _moment(when, now)) for name, when in moments if when]
    if result.same_as:
        facts.append(("same as", _some(result.same_as, 6 if width >= _WIDE else 3)))
    if found.part_of:
        facts.append(("part of", _named(result, found.part_of)))
    if result.subject:
        facts.append(("about", _named(result, result.subject)))
    for one in result.manifests:
        place = f"{one.platform or short_digest(one.digest)}: " if len(result.manifests) > 1 else ""
        facts += [("problem", f"{place}{with_short_digests(problem)}") for problem in one.problems]
    if result.not_looked_up:
        facts.append(("sharing", f"not known: {result.not_looked_up}"))
    if only is None and result.platforms:
        facts.append(("next", f"{command} inspect {found.short} --platform {shlex.quote(result.platforms[0])}"))
    return "\n".join(
        [
            fold(f"{found.registry}/{found.short}: {printable(_title(result))}{total}", width),
            f"{_INDENT}{found.stored.digest}",
            *aligned([(name, printable(value)) for name, value in facts], width=width, indent=_INDENT, local=False),
        ]
    )


def _named(result: Inspected, digest: str) -> str:
    """A manifest of the same repository, as people type it."""
    return shown(replace(result.found.reference, tag=None, digest=digest))


def _title(result: Inspected) -> str:
    if result.artifact is not None:
        return str(result.artifact)
    name = "index" if result.is_index else "image"
    *more, last = result.platforms or ("",)
    few = f"{', '.join(more)} and {last}" if more else last
    few = few if len(more) < _FEW else f"{len(result.platforms)} platforms"
    return f"{name} for {few}" if few else name


def _moment(when: datetime, now: datetime) -> str:
    return f"{ago(when, now=now)} ({when:%Y-%m-%d %H:%M:%S} UTC)"


def _some(names: Sequence[str], count: int) -> str:
    """The first names, and how many more there are."""
    more = [f"+{len(names) - count} more"] if len(names) > count else []
    return ", ".join([*map(with_short_digests, names[:count]), *more])


def _facts(values: Iterable[tuple[str, Sequence[str]]], room: int) -> str:
    """Names with their values, one below the other."""
    facts = [
        (printable(name) if number == 0 else "", printable(shortened(value, _LONGEST)))
        for name, several in values
        for number, value in enumerate(several)
    ]
    return "\n".join(aligned(facts, width=room, local=False))


def _config(config: ImageConfig) -> list[tuple[str, Sequence[str]]]:
    words = (("entrypoint", config.entrypoint), ("cmd", config.command))
    return [
        *((name, [json.dumps(several, ensure_ascii=False)]) for name, several in words if several),
        ("workdir", [config.working_folder] if config.working_folder else []),
        ("user", [config.user] if config.user else []),
        ("env", config.environment),
        ("ports", config.ports),
        ("volumes", config.volumes),
        ("stop", [config.stop_signal] if config.stop_signal else []),
        ("labels", [f"{name}={value}" for name, value in config.labels.items()]),
    ]


def _manifests(children: Sequence[InspectedManifest], room: int, *, now: datetime) -> str:
    def table(width: int, digest: Callable[[str], str]) -> str:
        rows = [
            (
                printable(one.platform or str(one.artifact or "unknown")),
                digest(one.digest),
                "" if one.size is None else size(one.size),
                ago(one.created, now=now),
            )
            for one in children
        ]
        first = "PLATFORM" if any(one.platform for one in children) else "KIND"
        headings = (first, "DIGEST", "SIZE", "CREATED")
        return columns(headings, rows, width=width, right=frozenset({"SIZE"}), spare=("CREATED",))

    return _with_digests(table, room)


def _with_digests(table: Callable[[int, Callable[[str], str]], str], room: int) -> str:
    """A table with whole digests if there is room for them, else with short ones."""
    whole = table(_ANY, str)
    return whole if max(map(len, whole.splitlines())) <= room else table(room, short_digest)


def _layers(one: InspectedManifest, room: int) -> str:
    """Each layer."""
    table = _without_empty(_LAYER_HEADINGS, [_layer_row(layer, None, _few(room)) for layer in one.layers])
    return _laid_out(table, room, spare=("SHARED WITH", "TYPE"))


def _layers_with_steps(one: InspectedManifest, room: int) -> str | None:
    """Each layer beside the step that made it, and each step that made none; None if that does not fit."""
    if one.config is None:
        return None
    for few in sorted({_few(room), 1}, reverse=True):
        rows = [_layer_row(layer, layer.step, few) for layer in one.layers]
        table = _without_empty(_LAYER_HEADINGS, rows)
        left = room - sum(max(map(len, column)) + _GAP for heading, column in table.items() if heading != _STEP)
        if _STEP in table and left >= _LEAST:
            layers = iter(rows)
            steps = [_layer_row(None, step, few) if step.is_empty else next(layers) for step in one.config.history]
            table = _without_empty(_LAYER_HEADINGS, steps)
            table[_STEP] = [shortened(cell, left) for cell in table[_STEP]]
            return _laid_out(table, room, spare=("SHARED WITH", "TYPE"))
    return None


def _few(room: int) -> int:
    """How many tags are named that share a layer."""
    return 3 if room >= _WIDE - len(_INDENT) else 1


def _history(one: InspectedManifest, room: int) -> str:
    """The steps of a build, if they do not stand beside the layers."""
    steps = one.config.history if one.config is not None else ()
    return "\n".join(printable(shortened(_made_by(step), room)) for step in steps)


def _without_empty(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """The columns that have something, by heading; each begins with its heading."""
    table = {heading: [heading, *(row[number] for row in rows)] for number, heading in enumerate(headings)}
    return {heading: column for heading, column in table.items() if any(column[1:])}


def _laid_out(table: Mapping[str, Sequence[str]], room: int, *, spare: Sequence[str]) -> str:
    if not table:
        return ""
    rows = list(zip(*table.values(), strict=True))[1:]
    kept = [heading for heading in spare if heading in table]
    return columns(list(table), rows, width=room, right=frozenset({"SIZE"}), spare=kept)


def _layer_row(layer: Layer | None, step: HistoryEntry | None, few: int) -> tuple[str, ...]:
    made_by = printable(_made_by(step)) if step else ""
    if layer is None:
        return "", "", "", "", "", made_by
    blob = layer.blob
    return (
        short_digest(blob.digest),
        size(blob.size),
        printable(layer.title),
        "" if blob.media_type in _USUAL_LAYERS else printable(blob.media_type),
        _some(layer.shared_with or (), few),
        made_by,
    )


def _made_by(step: HistoryEntry) -> str:
    """A step as a Dockerfile has it: without the shell, and without the marks of its builder."""
    line = _NO_COMMAND.sub("", " ".join(step.created_by.split()))
    return _BUILDKIT.sub("", _SHELL.sub("RUN ", line))


def _referrers(referrers: Sequence[Referrer], result: Inspected, room: int) -> str:
    platforms = {one.digest: one.platform for one in result.manifests if one.platform}
    rows = [
        (
            with_short_digests(one.error or str(one.artifact or "image")),
            short_digest(one.digest or ""),
            "" if one.size is None else size(one.size),
            ""
            if one.subject in (None, result.found.stored.digest)
            else printable(platforms.get(str(one.subject)) or short_digest(str(one.subject))),
            _SCHEME.sub("", printable(", ".join(one.predicates))),
            with_short_digests(one.tag or ""),
        )
        for one in referrers
    ]
    table = _without_empty(("KIND", "DIGEST", "SIZE", "OF", "PREDICATE", "TAG"), rows)
    return _laid_out(table, room, spare=("TAG", "SIZE", "OF", "KIND"))
