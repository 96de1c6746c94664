#!/bin/sh
# push-image.sh: build the image of this folder and push it through @{host}
#
# LOCALREG_SSH_KEY  a file with a private key that this machine accepts; by default ssh-agent is used
# LOCALREG_TAG      the tag; by default the commit that is checked out
@{password_note}
# That machine's line must be in ~/.ssh/known_hosts.
set -eu
@{target}
tag=${LOCALREG_TAG:-$(git rev-parse HEAD)}
key=${LOCALREG_SSH_KEY:-}
[ -z "$key" ] || @{is_file}
: "${key:-${SSH_AUTH_SOCK:?no ssh-agent is running: set LOCALREG_SSH_KEY to the file of a private key}}"
trap 'exit 1' HUP INT TERM
@{tunnel}
@{build}
