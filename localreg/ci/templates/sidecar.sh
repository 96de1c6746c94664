folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
@{files}
sidecar=$(docker create --network host --entrypoint ssh docker:28-cli -N@{port} -i /key \
  -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/known_hosts \
  -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ExitOnForwardFailure=yes -o LogLevel=ERROR \
  -L "127.0.0.1:5000:$remote" "$host")
trap '@{log_out}docker rm -f "$sidecar" >/dev/null; rm -rf "$folder"' EXIT
docker cp "$key" "$sidecar:/key"
docker cp "$known_hosts" "$sidecar:/known_hosts"
docker start "$sidecar" >/dev/null
tries=30
until docker exec -e http_proxy= "$sidecar" \
  wget -q @{wget_tls}-T 5 -O /dev/null @{probe} 2>/dev/null; do
  status=$?
  tries=$((tries - 1))
  if [ "$(docker inspect -f '{{.State.Running}}' "$sidecar")" != true ]; then
    docker logs "$sidecar" >&2
    echo "error: ssh cannot connect from the Docker daemon to $host, or port 5000 is already in use there" >&2
    exit 1
  fi
  # This comes last, because the end of the container also kills wget.
  if [ "$tries" -eq 0 ] && [ "$status" -gt 128 ]; then
    echo 'error: wget in the image docker:28-cli crashed when it checked the registry' >&2
    echo 'hint: use another release of that image' >&2
    exit 1
  fi
  if [ "$tries" -eq 0 ]; then
    @{no_registry}
    exit 1
  fi
  sleep 1
done
