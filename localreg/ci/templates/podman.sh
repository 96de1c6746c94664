@{log_in}
podman build --ssh default="@{build_key}" -t "$image:$tag" -t "$image:latest" .
podman push --tls-verify=false "$image:$tag"
podman push --tls-verify=false "$image:latest"
