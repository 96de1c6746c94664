tr -d '\r' <"$known_hosts" >"$folder/known_hosts"
known_hosts=$folder/known_hosts
