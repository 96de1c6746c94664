# bash completion for localreg: source <(localreg completion bash)
_localreg() {
    local line=${COMP_LINE:0:COMP_POINT} word breaks
    local -a words
    read -ra words <<<"$line"
    case $line in *[[:space:]]) words+=("") ;; esac
    word=${words[-1]}
    case ${words[-2]} in --image-archive | --volume | --file | --identity | --input | -i | --output | -o) compopt -o default; COMPREPLY=(); return ;; esac
    [[ ${words[1]} == build && $word != -* ]] && { compopt -o default; COMPREPLY=(); return; }
    mapfile -t COMPREPLY < <(localreg __complete "${words[@]:1}" 2>/dev/null | cut -f1)
    # No image begins with the word: bash offers files.
    [[ ${words[1]} == push && -z ${COMPREPLY[*]} && $word != -* ]] && { compopt -o default 2>/dev/null; COMPREPLY=(); return; }
    # A colon and a `=` end a word for bash, so what stands before them must not come again.
    breaks=${COMP_WORDBREAKS//[^:=]/}
    if [[ -n $breaks && $word == *[$breaks]* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*[$breaks]}"}"}")
    fi
}
complete -F _localreg localreg
