"""A stand-in of `docker buildx`, which keeps builders in files as release 0.29 does; no more of it than localreg uses.

Like the real one, it copies the configuration and the certificates that it names when a builder is made.
"""

import base64
import json
import os
import re
import sys
import tomllib
from pathlib import Path

HOME = Path(os.environ["HOME"])
INSTANCES = HOME / ".docker/buildx/instances"


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def create(options: dict[str, str]) -> None:
    config = tomllib.loads(Path(options["--config"]).read_text())
    if any("]" in name for name in config["registry"]):
        sys.exit("ERROR: failed to parse buildkit config: (10, 2): unexpected token table key cannot contain ']'")
    files: dict[str, str] = {}
    lines = ["[registry]"]
    for name, table in config["registry"].items():
        lines += [f'[registry."{name}"]', f"http = {str(table['http']).lower()}"]
        folder = "certs/" + re.sub(r"[^a-zA-Z0-9.-]+", "_", name)
        for path in map(Path, table.get("ca", ())):
            files[f"{folder}/{path.name}"] = encode(path.read_bytes())
            lines.append(f'ca = ["/etc/buildkit/{folder}/{path.name}"]')
    files["buildkitd.toml"] = encode("\n".join(lines).encode())
    driver_options = dict([options["--driver-opt"].split("=")])
    node = {"Name": f"{options['--name']}0", "DriverOpts": driver_options, "Files": files}
    INSTANCES.mkdir(parents=True, exist_ok=True)
    about = {"Name": options["--name"], "Driver": options["--driver"], "Nodes": [node], "Dynamic": False}
    (INSTANCES / options["--name"]).write_text(json.dumps(about))


def main(words: list[str]) -> int:
    if words[1] == "version":
        return 0
    with (HOME.parent / "calls").open("a") as calls:
        calls.write(" ".join(words) + "\n")
    if (HOME.parent / "refuses").exists():
        sys.stderr.write("ERROR: no space left\n")
        return 1
    if words[1] == "create":
        create(dict(zip(words[2::2], words[3::2], strict=True)))
    elif words[1] == "rm":
        (INSTANCES / words[-1]).unlink()
    else:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
