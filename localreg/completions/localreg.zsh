#compdef localreg
# zsh completion for localreg: source <(localreg completion zsh)
_localreg() {
    local line
    local -a described
    case ${words[CURRENT-1]} in --image-archive|--volume|--file|--identity|--input|-i|--output|-o) _files; return ;; esac
    [[ ${words[2]} == build && ${words[CURRENT]} != -* ]] && (( CURRENT > 2 )) && { _files; return }
    while IFS= read -r line; do
        # Without a description there is no colon either: zsh would show ` -- `.
        described+=("${${line%%$'\t'*}//:/\\:}${${line#*$'\t'}:+:${line#*$'\t'}}")
    done < <(localreg __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe -V localreg described && return
    # A word that no image begins with.
    [[ ${words[2]} == push && ${words[CURRENT]} != -* ]] && _files
}
if [[ ${funcstack[1]} == _localreg ]]; then
    _localreg "$@"
else
    compdef _localreg localreg
fi
