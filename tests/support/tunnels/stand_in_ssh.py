"""What tests have for `ssh`: the other machine is this one, and nobody has to log in.

It does what localreg, Docker's client and podman-py ask of ssh: to run a command there (`ssh [OPTIONS] PLACE COMMAND`),
or to bring a socket of the other machine here (`ssh -N -L HERE:THERE PLACE`).
"""

import getopt
import os
import socket
import sys
import threading


def copy(source: socket.socket, sink: socket.socket) -> None:
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


def forward(here: str, there: str) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(here)
    server.listen()
    while True:
        near, _ = server.accept()
        far = socket.socket(socket.AF_UNIX)
        far.connect(there)
        for ends in ((near, far), (far, near)):
            threading.Thread(target=copy, args=ends, daemon=True).start()


def main() -> None:
    options, (_, *command) = getopt.gnu_getopt(sys.argv[1:], "+l:p:o:i:NTL:")
    if "-N" in dict(options):
        forward(*dict(options)["-L"].split(":"))
    # The other machine has an environment of its own.
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_HOST")}
    os.execvpe("sh", ["sh", "-c", " ".join(command)], environment)


if __name__ == "__main__":
    main()
