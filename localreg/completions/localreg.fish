# fish completion for localreg: localreg completion fish > ~/.config/fish/completions/localreg.fish
# Only from there does it replace what fish makes of the manual page.
function __localreg_complete
    set -l words (commandline -opc) (commandline -ct)
    localreg __complete $words[2..] 2>/dev/null
end
complete -c localreg -f -a '(__localreg_complete)'
complete -c localreg -n '__fish_seen_subcommand_from build' -F
complete -c localreg -n '__fish_seen_subcommand_from build' -l file -s f -r -F
complete -c localreg -n '__fish_seen_subcommand_from open' -l identity -r -F
complete -c localreg -n '__fish_seen_subcommand_from up' -l image-archive -r -F
complete -c localreg -n '__fish_seen_subcommand_from up' -l volume -r -F
complete -c localreg -n '__fish_seen_subcommand_from push' -F
complete -c localreg -n '__fish_seen_subcommand_from load' -l input -s i -r -F
complete -c localreg -n '__fish_seen_subcommand_from save' -l output -s o -r -F
