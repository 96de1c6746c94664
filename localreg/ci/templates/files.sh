# ssh rejects the line breaks of Windows, and a key without a line break at its end.
[ -z "$key" ] || (umask 077 && { tr -d '\r' <"$key" && echo; } >"$folder/key")
[ ! -f "$key-cert.pub" ] || cp "$key-cert.pub" "$folder/key-cert.pub"
key=${key:+$folder/key}
