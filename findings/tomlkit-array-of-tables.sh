#!/usr/bin/env bash
# tomlkit 0.15.2: a table added to an array of tables can make the file invalid, without an error.
#
# Expected: a library that keeps the style of a file writes a file that it can read again.
# Observed: if the last `[[registry]]` was removed before, or if the file does not end with a newline, adding one
# `[[registry]]` gives text that is not TOML. A comment above a removed table stays, and now describes the next table.
#
# It matters because Podman, Buildah and Skopeo read every drop-in in registries.conf.d before a push or pull, and all
# of them fail if one is not valid TOML. "Remove our entry, then add it again" is enough to write such a file.
#
# Advice: add the table as text after a newline, and parse the result with another parser before it replaces the file.
# To remove an entry, cut out its lines.
#
# Needs: python3 3.11 or newer with venv, and a package index that pip is set up for. Runs as any user.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check tomlkit==0.15.2

"$work/venv/bin/python" - <<'EOF'
import sys
import tomllib

import tomlkit

FIRST = '[[registry]]\nlocation = "a.example:5000"\n'
MIRROR = '\n# The mirror.\n[[registry]]\nlocation = "b.example:5000"\n'
BUILD_SERVER = '\n# The build server.\n[[registry]]\nlocation = "c.example:5000"\n'


def append(text):
    """The text with one more table."""
    document = tomlkit.parse(text)
    table = tomlkit.table()
    table.add("location", "new.example:5000")
    document["registry"].append(table)
    return tomlkit.dumps(document)


def remove(text, index):
    document = tomlkit.parse(text)
    del document["registry"][index]
    return tomlkit.dumps(document)


def error(text):
    """The error of Python's own parser; None if the text is valid."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        return str(exc)
    return None


def show(title, text):
    print(f"--- {title}: {error(text) or 'valid'}")
    print(text)


ordinary = append(FIRST)
emptied = remove(FIRST, 0)
refilled = append(emptied)
unfinished = append(FIRST.removesuffix("\n"))
without_mirror = remove(FIRST + MIRROR + BUILD_SERVER, 1)
show("a table added to a file that ends with a newline", ordinary)
show("the only table removed", emptied)
show("the only table removed, then one added", refilled)
show("a table added to a file that does not end with a newline", unfinished)
show("the mirror removed", without_mirror)

expected = {
    "an ordinary append is valid": error(ordinary) is None,
    "an emptied array is left as `registry = []`": emptied == "registry = []\n",
    "an append to that is not valid": error(refilled) is not None,
    "an append behind a missing newline is not valid": '"a.example:5000"[[registry]]' in unfinished,
    "the comment of the removed table stays": "build server" not in without_mirror and "# The mirror." in without_mirror,
}
changed = [what for what, is_so in expected.items() if not is_so]
if changed:
    sys.exit(f"changed: no longer so: {'; '.join(changed)}")
print(f"seen: tomlkit {tomlkit.__version__} wrote invalid TOML twice, without an error")
EOF
