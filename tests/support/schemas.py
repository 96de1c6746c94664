"""The JSON Schemas of the reference, and a stricter reading of them: what they do not name may not be there."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "schema"

_FORMATS = FormatChecker()


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def load(name: str) -> Any:
    """A schema as it is published."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def published(name: str) -> Draft202012Validator:
    """What a user's validator makes of a schema, which allows keys that a later release may add."""
    resources = [(path.name, Resource.from_contents(load(path.stem))) for path in FOLDER.glob("*.json")]
    registry: Registry[Any] = Registry().with_resources(resources)
    return Draft202012Validator(load(name), registry=registry, format_checker=_FORMATS)


def check(name: str, text: str) -> Any:
    """Check output of the program, and return it; every key has to be documented.

    Args:
        name: Of the schema.
        text: One JSON document.
    """
    found = json.loads(text)
    published(name).validate(found)
    Draft202012Validator(_strict(load(name), name), format_checker=_FORMATS).validate(found)
    return found


def _strict(schema: Any, file: str) -> Any:
    """The same in one piece: references filled in, and no object with keys that are not named."""
    merged: dict[str, Any] = {"properties": {}, "required": []}
    for part in schema.get("allOf", ()):
        _add(merged, _strict(part, file))
    if "$ref" in schema:
        place, _, pointer = schema["$ref"].partition("#")
        target_file = place.removesuffix(".json") or file
        target = load(target_file)
        for step in pointer.split("/")[1:]:
            target = target[step]
        _add(merged, _strict(target, target_file))
    properties = {key: _strict(value, file) for key, value in schema.get("properties", {}).items()}
    _add(merged, {**schema, "properties": properties})
    for key in ("$ref", "allOf", "$defs"):
        merged.pop(key, None)
    if "items" in merged:
        merged["items"] = _strict(merged["items"], file) if "items" in schema else merged["items"]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            merged[key] = [_strict(part, file) for part in schema[key]]
    if merged["properties"]:
        merged["additionalProperties"] = False
    return merged


def _add(merged: dict[str, Any], more: dict[str, Any]) -> None:
    properties = {**merged["properties"], **more.get("properties", {})}
    required = [*merged["required"], *more.get("required", ())]
    merged.update(more)
    merged.update(properties=properties, required=required)
