if command -v curl >/dev/null; then
  client=curl
  answers() { curl -fs @{curl_tls}--noproxy '*' -m 5 -o /dev/null "$1"; }
elif command -v wget >/dev/null; then
  client=wget
  answers() { http_proxy='' wget -q @{wget_tls}-T 5 -O /dev/null "$1" 2>/dev/null; }
else
  echo 'error: neither curl nor wget is installed' >&2
  echo 'hint: install curl; it checks that the registry is ready' >&2
  exit 1
fi
folder=$(mktemp -d)
trap '@{log_out}ssh -S "$folder/ssh" -O exit "$host" >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
@{files}
ssh -f -N -M -S "$folder/ssh"@{port} @{identity} \
  -o BatchMode=yes -o StrictHostKeyChecking=yes@{known_hosts} \
  -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ExitOnForwardFailure=yes -o LogLevel=ERROR \
  -L "127.0.0.1:5000:$remote" "$host" || {
  echo "error: ssh cannot connect to $host, or port 5000 is already in use here" >&2
  exit 1
}
tries=30
until answers @{probe}; do
  if [ $? -gt 128 ]; then
    echo "error: $client crashed when it checked the registry" >&2
    echo 'hint: install a working curl' >&2
    exit 1
  fi
  tries=$((tries - 1))
  if [ "$tries" -eq 0 ]; then
    @{no_registry}
    exit 1
  fi
  sleep 1
done
