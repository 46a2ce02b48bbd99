# Completes `lab` and `./lab` in bash 3.2 and newer.
# shellcheck shell=bash

_lab() {
  local line=${COMP_LINE:0:COMP_POINT} words candidate
  local -a candidates=()
  IFS=$' \t' read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  local word=${words[${#words[@]} - 1]}
  COMPREPLY=()
  while IFS= read -r candidate; do candidates+=("${candidate%%$'\t'*}"); done < <(@LAB@ --complete "${words[@]:1}" 2> /dev/null)

  # Bash takes a colon and an equals sign for the start of a new word, and replaces only what comes after it.
  local before=''
  [[ $word == *[:=]* ]] && before=${word%"${word##*[:=]}"}
  for candidate in ${candidates[@]+"${candidates[@]}"}; do
    case $candidate in
      :nospace) compopt -o nospace 2> /dev/null ;;
      :files | :folders)
        local action=file
        [[ $candidate == :folders ]] && action=directory
        compopt -o filenames 2> /dev/null
        while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -A "$action" -- "${word#"$before"}")
        ;;
      *) COMPREPLY+=("${candidate#"$before"}") ;;
    esac
  done
}

complete -F _lab lab
