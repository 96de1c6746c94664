@{log_in}
export DOCKER_BUILDKIT=1
docker build --ssh default="@{build_key}" -t "$image:$tag" -t "$image:latest" .
docker push "$image:$tag"
docker push "$image:latest"
