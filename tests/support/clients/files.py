"""Configuration files of containerd, BuildKit and K3s in the shapes that people write them in.

The shapes come from public repositories; names, addresses and comments are made up. `HERE` stands for the registry.
"""

from __future__ import annotations

HOSTS_TOML = {
    "empty server of a wildcard": b'server = ""\n\n[host."https://mirror.test"]\n  capabilities = ["pull"]\n',
    "only the header of a host": b'[host."http://kind-registry:5000"]\n',
    "server alone": b'server = "http://10.0.0.5"\n',
    "two hosts, comments, tabs, an indent": (
        b"# Managed by a script\n# containerd asks them in this order\n\n"
        b'    server = "https://docker.test"   # upstream\n\n'
        b'\t[host."https://mirror.test/v2/proxy"]\n\t  capabilities = ["pull",\t"resolve"]\n'
        b"\t  override_path = true\n\n"
        b"    [host.'https://other.test']\n      skip_verify = false\n      ca = '/etc/ssl/other.pem'\n"
    ),
    "CRLF": b'server = "https://docker.test"\r\n\r\n[host."https://mirror.test"]\r\n  capabilities = ["pull"]\r\n',
    "no end of line": b'server = "https://docker.test"\n[host."https://mirror.test"]\n  capabilities = ["pull"]',
    "blank lines at the end": b'[host."https://mirror.test"]\n\n\n\n',
    "headers and client certificates": (
        b'[host."https://mirror.test"]\n  client = [["a.cert", "a.key"]]\n  dial_timeout = "1s"\n'
        b'  [host."https://mirror.test".header]\n    authorization = "Basic dTpw"\n    x-two = ["a", "b"]\n'
    ),
    "keys that containerd does not know": (
        b'server = "https://HERE"\n[host."https://mirror.test"]\n  plain_http = true\n  username = "u"\n'
    ),
    "only comments": b"# nothing yet\n#[host.x]\n",
    "unicode": 'server = "https://docker.test" # für alle: 镜像\n'.encode(),
}

HOSTS_TOML_FOR_US = {
    "server and host": (
        b'server = "http://HERE"\n\n[host."http://HERE"]\n  capabilities = ["pull", "resolve", "push"]\n'
        b"  skip_verify = true\n"
    ),
    "server alone": b'server = "http://HERE"\n',
    "with /v2": b'[host."http://HERE/v2/"]\n',
    "capabilities in capitals": b'[host."http://HERE"]\ncapabilities = ["Push", "PULL", "resolve"]\n',
}
"""They allow plain HTTP for the registry."""

_CRI = '[plugins."io.containerd.grpc.v1.cri".registry]\n'
_MIRRORS = _CRI.replace("registry]", 'registry.mirrors."docker.io"]') + 'endpoint = ["https://mirror.test"]\n'
_FOLDER = 'config_path = "/etc/containerd/certs.d"\n'
_IMAGES = "[plugins.'io.containerd.cri.v1.images'.registry]\n"

CONTAINERD_CONFIG = {
    "2, usual folder": (f"version = 2\n{_CRI}{_FOLDER}", "/etc/containerd/certs.d", None),
    "2, two folders": (f'version = 2\n{_CRI}config_path = "/etc/a:/etc/b"\n', "/etc/a:/etc/b", None),
    "3, another folder": (f"version = 3\n{_IMAGES}config_path = '/etc/cri/conf.d'\n", "/etc/cri/conf.d", None),
    "2, none": (f'version = 2\n{_CRI}config_path = ""\n', None, "config_path"),
    "2, mirrors": (f"version = 2\n{_CRI}{_MIRRORS}", None, "[registry.mirrors]"),
    "2, mirrors and a folder": (f"version = 2\n{_CRI}{_FOLDER}{_MIRRORS}", "/etc/containerd/certs.d", "both"),
    "1": (f"[plugins.cri.registry]\n{_FOLDER}", "/etc/containerd/certs.d", None),
    "no CRI": (f'version = 2\ndisabled_plugins = ["cri"]\n{_CRI}config_path = ""\n', None, None),
}
"""What `containerd config dump` says, its folders of registries, and a word of what is in the way of its CRI."""

BUILDKITD_TOML = {
    "a mirror of docker.io": b'debug = true\n[registry."docker.io"]\n  mirrors = ["mirror.test"]\n',
    "all keys of a registry": (
        b'[registry."docker.io"]\n  # a mirror with a path\n  mirrors = ["mirror.test:5000", "core.test/proxy"]\n'
        b'  http = true\n  insecure = true\n  ca=["/etc/config/myca.pem"]\n  [[registry."docker.io".keypair]]\n'
        b'    key="/etc/config/key.pem"\n    cert="/etc/config/cert.pem"\n\n'
        b'[registry."mirror.test:5000"]\n  http = true\n\n[frontend."dockerfile.v0"]\n  enabled = true\n'
    ),
    "workers, arrays of tables, vim": (
        b'[grpc]\n  address = [\n    "tcp://0.0.0.0:8001",\n    "unix:///run/buildkit/buildkitd.sock",\n  ]\n\n'
        b'[worker.containerd]\n  enabled = false\n[[worker.oci.gcpolicy]]\n  keepBytes = "40MB"\n  all = true\n'
        b"\n# vim: ft=toml"
    ),
    "an indent, CRLF": (
        b'    [worker.oci]\r\n      max-parallelism = 4\r\n\r\n    [registry."a.test"]\r\n      http = true\r\n'
    ),
    "mirrors over several lines": b'[registry."docker.io"]\n  mirrors = [\n    "a.test",\n    "b.test"\n  ]\n',
    "a mirror for the registry": b'[registry."HERE"] # ours\n  mirrors = ["a.test"]\n\n[worker.oci]\n  gc = false\n',
    "the last table is the registry's": b"[registry.'HERE']\r\n",
    "inline options": b'root = "/var/lib/buildkit"\n[worker.containerd.runtime]\n  options = { BinaryName = "runc" }\n',
}

REGISTRIES_YAML = {
    "mirrors": b'mirrors:\n  docker.io:\n    endpoint:\n      - "http://10.0.0.5:5000"\n',
    "a login, comments, no end of line": (
        b'# for ghcr\nmirrors:\n  "ghcr.io":\n    endpoint:\n      - "https://ghcr.io" # itself\n'
        b'configs:\n  "ghcr.io":\n    auth:\n      username: u # who\n      password: "p: #"'
    ),
    "a dash and an indent of four": b"---\nmirrors:\n    quay.io:\n        endpoint:\n        - https://mirror.test\n",
    "a wildcard and a rewrite": (
        b'mirrors:\n  "*":\n    endpoint:\n      - "https://mirror.test"\n    rewrite:\n      "(.*)": "cache/$1"\n'
    ),
    "keys without a value": b"mirrors:\nconfigs:\n",
    "only comments": b"# mirrors:\n#   docker.io:\n",
    "CRLF, configs first": (
        b'configs:\r\n  "a.test":\r\n    tls:\r\n      insecure_skip_verify: true\r\n\r\nmirrors:\r\n  a.test:\r\n'
        b'    endpoint: ["https://a.test"]\r\n'
    ),
    "a login for the registry": b'configs:\n  "HERE":\n    auth:\n      username: u\n      password: p\n',
    "anchors": b"mirrors: &all\n  a.test: &one\n    endpoint: [https://m.test]\n  b.test: *one\n",
    "a comment below the key": b"mirrors:   # all of them\n# docker first\n  docker.io:\n    endpoint: ['https://m.test']\n",
    "a byte order mark": b"\xef\xbb\xbfmirrors:\n  a.test:\n    endpoint: [https://m.test]\n",
    "a document's end": b"mirrors:\n  a.test:\n    endpoint: [https://m.test]\n",
}
