"""The scripts that read and change a registry's data for `volume_shell`, with Debian's shell or busybox's.

The first argument of each is a folder.
"""

from localreg.registry.volume_layout import LARGEST

GIVE_WAY = "{ renice -n 19 -p $$ || busybox renice -n 19 -p $$; } >/dev/null 2>&1\n"
# A file that vanishes makes a command fail, and a folder that does not exist is empty. Only other failures are errors.
# Not every shell says that a program was killed.
_CHECKED = r"""
exec 3>&1
whole() {
    "$@" || [ $? -le 128 ] || echo "$1 was killed" >&2
}
checked() {
    { whole "$@" 2>&1 >&3; } | {
        while read -r line; do
            case $line in *[Nn]"o such file"* | *[Nn]"ot a directory"*) ;; *) echo "$line" >&2; failed=1 ;; esac
        done
        exit ${failed:-0}
    }
}
enter() {
    cd "$1" 2>/dev/null || { checked find "$1/." -name ''; exit; }
}
"""
# No part of a repository's name begins with `_`. A line of output is `TIME PATH`, `PATH:CONTENT` or `PATH`. The shell
# lists the folders of tags faster than `find`, which looks at each of them. Its patterns end with the names, because
# they leave out silently what cannot be looked at. If there are none, the pattern stays as a path that does not
# exist. Like busybox's `find`, a shell does not tell of a disk that fails in the middle of a folder. An image that
# localreg made has `grep` and `xargs` only as parts of `busybox`.
READ_LINKS = rf"""
{_CHECKED}
list_in() {{
    [ -r "$1" ] || [ ! -d "$1" ] || echo "$1: Permission denied" >&2
    printf "%s$2\0" "$1"/*
}}
list_links() (
    while IFS= read -r folder; do
        list_in "$folder"/revisions/sha256 /link
        list_in "$folder"/tags /current/link
    done
)
read_links() {{
    whole find -L "$@" '(' -name _layers -o -name _uploads -o -name _manifests ')' -prune \
        -name _manifests -type d -print | whole list_links | $busybox xargs -0 -r sh -c '
            exec find -L "$@" -path "*/_manifests/revisions/*" -type f -print \
                -o -type f -exec stat -c "%Y %n" {{}} + -exec $busybox grep -H "" {{}} +' sh
}}
enter "$1/repositories"
shift
command -v grep >/dev/null && command -v xargs >/dev/null || export busybox=busybox
checked read_links "$@"
"""
READ_BLOBS = f"""
cd "$1" 2>/dev/null || exit 0
shift
set -- $(find "$@" -type f -size -{LARGEST + 1}c)
[ $# -gt 0 ] && stat -c '%s %n' "$@"
echo
[ $# -gt 0 ] && cat "$@"
exit 0
"""
LIST_REPOSITORIES = rf"""
{_CHECKED}
enter "$1"
checked find . '(' -name _manifests -o -name _uploads ')' -prune -o -name _layers -type d -prune -print
"""
LIST_BLOBS = rf"""
{_CHECKED}
enter "$1"
checked find . -mindepth 2 -maxdepth 2
"""
# The names to skip come first, then `--`, then the paths.
LIST_FILES = rf"""
{_CHECKED}
cd "$1" || exit
shift
skip=
while [ "$1" != -- ]; do skip="$skip -name $1 -prune -o"; shift; done
shift
set -f
checked find "$@" $skip -type f -exec stat -c '%Y %s %n' {{}} +
"""
READ_FILES = r"""
cd "$1" || exit
shift
for file; do
    [ -f "$file" ] || continue
    stat -c '%s %n' "$file"
    cat "$file" || exit
    echo
done
"""
DISK_USAGE = rf"""
{_CHECKED}
checked du -sk "$1"
"""
FREE_SPACE = r"""
{ df -Pk "$1" || busybox df -Pk "$1"; } 2>/dev/null
"""
MAKE_FILE = r"""
cd "$1" && mkdir -p "${2%/*}" && touch "$2"
"""
# One `mv` renames them all. If one has vanished, it goes on and fails; anything else that fails is still there.
# An overlay cannot rename a folder of an image's layer, and `mv` would copy it; a file there it can.
MOVE_INTO = r"""
move_files() {
    [ -e "$1" ] || return 0
    find "$1" -type f | while read -r file; do
        new=$2/${1##*/}${file#"$1"}
        mkdir -p "${new%/*}" && mv "$file" "$new" || exit
    done && rm -rf "$1"
}
move_into() {
    folder=$1
    shift
    mkdir -p "$folder" || exit
    if [ $overlay ]; then
        for path; do move_files "$path" "$folder" || failed=1; done
    elif ! mv "$@" "$folder/" 2>/dev/null; then
        for path; do [ ! -e "$path" ] || mv "$path" "$folder/" || failed=1; done
    fi
}
cd "$1" || exit
shift
case $(stat -f -c %t . 2>/dev/null) in 794c7630 | 65735546) overlay=yes ;; esac
# Each folder and its paths come after their number.
while [ $# -gt 0 ]; do
    number=$1 next= words=
    shift
    while [ $((next += 1)) -le "$number" ]; do words="$words \"\${$next}\""; done
    eval "move_into $words"
    shift "$number"
done
exit ${failed:-0}
"""
PUT_BACK = r"""
cd "$1" || exit
shift
while [ $# -gt 0 ]; do
    if [ -e "$1" ]; then { [ -d "${2%/*}" ] || mkdir -p "${2%/*}"; } && mv -f "$1" "$2" || failed=1; fi
    shift 2
done
exit ${failed:-0}
"""
REMOVE = r"""
cd "$1" || exit
shift
rm -rf "$@" || failed=1
for path; do
    while [ "$path" != "${path%/*}" ]; do path=${path%/*}; rmdir "$path" 2>/dev/null || [ ! -e "$path" ] || break; done
done
exit ${failed:-0}
"""
