# shellcheck shell=bash
# What the scripts of this folder share: installing what is missing, without touching what is there.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cache=$root/.cache
venv=${LOCALREG_VENV:-$root/.venv}
export root cache venv
# The tests that need no engine.
# shellcheck disable=SC2034
without_engine=(tests/unit tests/cli tests/test_{arrows,docs,kept_errors}.py)

debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '\033[2m== %s\033[0m\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -- "$@"; fi
}

# hold FILE: until this process and those it starts have ended. One that was killed needs a moment to let go.
hold() {
    exec 9>"$1"
    flock --wait 30 9 || {
        echo "error: a sandbox of this checkout runs already" >&2
        exit 1
    }
}

# What keeps a package from starting its service. One with this mark is ours, also where a run was killed and left it.
guard=/usr/sbin/policy-rc.d
guard_mark='# Made by localreg while it installs packages; may be removed.'

# Whoever installs holds its guard: it is waited for.
remove_left_guard() {
    grep -qsF "$guard_mark" $guard || return 0
    flock $guard true || true
    as_root rm -f $guard
}

# The links by which something starts at boot, or when a user logs in.
boot_links() { find /etc/systemd /etc/rc?.d -type l \( -path '*.wants/*' -o -name 'S[0-9][0-9]*' \) 2>/dev/null | sort; }

# disable_since LINKS PACKAGE...: the services of these packages that were enabled since then. Debian's packages enable
# them even where they may not start them.
disable_since() {
    local before=$1 link service package
    shift
    comm -13 <(echo "$before") <(boot_links) | while IFS= read -r link; do
        service=${link##*/}
        service=${service#S[0-9][0-9]}
        # Others, such as procps, are the machine's own.
        package=$(dpkg -S "/etc/init.d/$service" "*/systemd/*/$service" 2>/dev/null | head -n 1 | cut -d: -f1 || true)
        case " $* containerd " in *" $package "*) ;; *) continue ;; esac
        case $link in
            # As `systemctl disable` does it: an upgrade of the package does not enable it again.
            /etc/systemd/*) as_root rm -f "$link" ;;
            *) as_root update-rc.d "$service" disable ;;
        esac </dev/null
    done
}

# install_missing PACKAGE...: through apt, without starting a service that a package brings, now or at the next boot.
install_missing() {
    remove_left_guard
    [ $# -gt 0 ] || return 0
    say "installing $*"
    command -v apt-get >/dev/null || {
        echo "error: these packages are missing, and there is no apt-get to install them: $*" >&2
        exit 1
    }
    local status=0
    # A process of its own: where this script is killed, it lets apt come to its end and removes the guard.
    (
        enabled=$(boot_links)
        trap 'exit 130' HUP INT TERM
        trap 'disable_since "$enabled" "$@"' EXIT
        if [ ! -e $guard ]; then
            trap 'disable_since "$enabled" "$@"; as_root rm -f $guard' EXIT
            printf '#!/bin/sh\n%s\nexit 101\n' "$guard_mark" | as_root tee $guard >/dev/null
            as_root chmod 755 $guard
            exec 8<$guard
            flock 8
        fi
        # What conflicts with a package that is there is not to be solved by removing that.
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-remove --no-install-recommends "$@"
    ) >"$cache/apt.log" 2>&1 || status=$?
    if [ $status -ne 0 ]; then
        tail -n 20 "$cache/apt.log" >&2
        exit $status
    fi
}

# missing PROGRAM PACKAGE: prints the package when the program is on no path, that of root included.
missing() {
    PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$1" >/dev/null || echo "$2"
}

# What rootless Podman reaches the network through changed with release 5.
podman_network() {
    case $(podman --version) in
        *" "[1-4].*) missing slirp4netns slirp4netns ;;
        *) missing pasta passt ;;
    esac
}

netavark() { [ -x /usr/lib/podman/netavark ] || [ -x /usr/libexec/podman/netavark ] || echo netavark aardvark-dns; }

# Since release 23 Docker's client builds with a plugin. A Debian that has no package with it has an older client.
buildx() {
    case $(docker --version) in *" version 1"[0-9].* | *" version 2"[0-2].*) return ;; esac
    docker buildx version >/dev/null 2>&1 || ! apt-cache show docker-buildx >/dev/null 2>&1 || echo docker-buildx
}

# make_testbed: everything that the sandbox needs, and what runs in it.
make_testbed() {
    # shellcheck disable=SC2046 # each prints one package or nothing
    install_missing $(
        missing dockerd docker.io
        missing podman podman
        missing runc runc
        missing crun crun
        missing iptables iptables
        missing nft nftables
        missing newuidmap uidmap
        missing skopeo skopeo
        missing umoci umoci
        missing zsh zsh
        missing fish fish
        missing ip iproute2
        missing curl curl
        missing openssl openssl
        missing ssh openssh-client
        missing sshd openssh-server
        netavark
    )
    # Newer releases have Docker's client in a package of its own.
    # shellcheck disable=SC2046
    install_missing $(missing docker docker-cli) $(podman_network)
    # shellcheck disable=SC2046
    install_missing $(buildx)
    local fetching
    # For `take_from_debian`: beside make_venv, two of them could want to install something.
    [ -e $debian_keyring ] || install_missing debian-archive-keyring
    ensure_python
    { get_distribution; get_busybox; } &
    fetching=$!
    make_venv dev
    # An installed package has its bytecode; what is edited in place has it after the first run, and in a sandbox never.
    "$venv/bin/python" -m compileall -q "$root/localreg"
    wait $fetching
}

install_linters() {
    # shellcheck disable=SC2046 # one package or none
    install_missing $(missing shellcheck shellcheck)
}

# The interpreter of the distribution comes first: the tests' unprivileged user has to be able to read it.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

# What a virtual environment is made with.
ensure_python() {
    local python
    python=$(find_python)
    if [ -z "$python" ]; then
        install_missing python3 python3-venv
        python=$(find_python)
        [ -n "$python" ] || { install_missing python3.11 python3.11-venv && python=$(find_python); }
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        install_missing "$(basename "$("$python" -c 'import sys; print("python3.%d" % sys.version_info[1])')")-venv"
    fi
}

# make_venv GROUP...: the project, editable, with these dependency groups; nothing happens when nothing changed.
make_venv() {
    local python stamp groups=()
    ensure_python
    python=$(find_python)
    stamp=$(cat "$root/pyproject.toml" - <<<"$python $("$python" --version) $*" | sha256sum)
    [ "$(cat "$venv/stamp" 2>/dev/null)" != "$stamp" ] || return 0
    say "making $venv"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    for group in "$@"; do groups+=(--group "$group"); done
    # It takes half of pip's time, but knows nothing of how pip is set up. Only this group brings it anyway.
    if [[ " $* " != *" dev "* ]] || ! install_with_uv "${groups[@]}" >"$cache/uv.log" 2>&1; then
        "$venv/bin/pip" install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
        (cd "$root" && "$venv/bin/pip" install --quiet --disable-pip-version-check --editable . "${groups[@]}")
    fi
    echo "$stamp" >"$venv/stamp"
}

# install_with_uv OPTION...: the project, editable, into $venv.
install_with_uv() {
    "$venv/bin/pip" install --quiet --disable-pip-version-check uv &&
        (cd "$root" && UV_CACHE_DIR=$cache/uv UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 \
            "$venv/bin/uv" pip install --quiet --python "$venv" --compile-bytecode --editable . "$@")
}

# make_earlier COMMIT: an earlier build of localreg, from the history of this checkout, with the packages that $venv has.
make_earlier() {
    local target=$cache/earlier-$1 stamp
    git -C "$root" cat-file -e "$1^{commit}" 2>/dev/null || {
        echo "error: this checkout's history does not have commit $1; \`git fetch --unshallow\` brings it" >&2
        exit 1
    }
    stamp=$(cat "$venv/stamp")
    [ "$(cat "$target/stamp" 2>/dev/null)" != "$stamp" ] || return 0
    say "making localreg of commit $1"
    rm -rf "$target"
    "$(find_python)" -m venv "$target"
    mkdir "$target/source"
    git -C "$root" archive "$1" | tar -x -C "$target/source"
    "$venv/bin/pip" freeze --exclude-editable >"$target/constraints"
    "$target/bin/pip" install --quiet --disable-pip-version-check --constraint "$target/constraints" "$target/source"
    echo "$stamp" >"$target/stamp"
}

reports_2_8_3() { "$1" --version 2>/dev/null | grep -q ' v\?2\.8\.3'; }

# Distribution 2.8.3's program in $cache/distribution/registry: the machine's own, else Debian's build. Only the program
# is taken: Debian's package would start a service on port 5000.
get_distribution() {
    local target=$cache/distribution/registry program
    # Of a run that was killed.
    rm -rf "$cache"/debian.*
    ! reports_2_8_3 "$target" || return 0
    mkdir -p "$(dirname "$target")"
    for program in registry docker-registry; do
        if program=$(command -v $program) && reports_2_8_3 "$program"; then
            cp "$program" "$target"
            return 0
        fi
    done
    take_from_debian docker-registry usr/bin/docker-registry "$target"
    reports_2_8_3 "$target" || {
        echo "error: Debian's docker-registry does not run here, or is not 2.8.3" >&2
        exit 1
    }
}

is_busybox_1_37() { case $("$1" 2>/dev/null) in "BusyBox v1.37."*) ;; *) return 1 ;; esac }

# Debian 13's static busybox in $cache/busybox/busybox, for images without a library. Never the machine's own: the wget of
# Debian 12's crashes on `-T`. Only the program is taken: the package excludes the other busybox, which a machine may
# need to boot.
get_busybox() {
    local target=$cache/busybox/busybox
    ! is_busybox_1_37 "$target" || return 0
    mkdir -p "$(dirname "$target")"
    take_from_debian busybox-static usr/bin/busybox "$target"
    is_busybox_1_37 "$target" || {
        echo "error: Debian's busybox-static does not run here, or is not 1.37" >&2
        exit 1
    }
}

# take_from_debian PACKAGE FILE TARGET: a file of a package of Debian 13, which is not installed.
take_from_debian() {
    local folder options
    say "fetching $1 from Debian"
    folder=$(mktemp -d "$cache/debian.XXXXXX")
    mkdir -p "$folder"/{lists,archives}/partial
    [ -e $debian_keyring ] || install_missing debian-archive-keyring
    printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
        "$(debian_mirror)" $debian_keyring >"$folder/debian.sources"
    options=(-o "Dir::Etc::SourceList=$folder/debian.sources" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder" -o APT::Sandbox::User=root
        -o "Debug::NoLocking=1")
    (
        cd "$folder" &&
            apt-get -q "${options[@]}" update &&
            apt-get -q "${options[@]}" download "$1" &&
            dpkg-deb -x "$1"_*.deb files &&
            mv "files/$2" "$3"
    ) >"$cache/fetch.log" 2>&1 || {
        tail -n 20 "$cache/fetch.log" >&2
        rm -rf "$folder"
        exit 1
    }
    rm -rf "$folder"
}

# The mirror that this machine is set up for, where it is a Debian; else Debian's own.
debian_mirror() {
    local found
    # One of the two need not be there, which grep calls a failure.
    found=$(grep -hoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -v security) || true
    found=${found%%[[:space:]]*}
    echo "${found:-http://deb.debian.org/debian}"
}
