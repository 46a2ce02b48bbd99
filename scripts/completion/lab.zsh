#compdef lab
# Completes `lab` and `./lab` in zsh. Works as a file of $fpath and when it is sourced.

_lab() {
  local -a lines names lists
  local line name text space=' '
  lines=("${(@f)$(@LAB@ --complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2> /dev/null)}")
  local -i width=0
  for line in $lines; do
    name=${line%%$'\t'*}
    case $name in
      :nospace) space='' ;;
      :files | :folders)
        [[ $PREFIX == --*=* ]] && compset -P 1 '*='
        if [[ $name == :files ]]; then _files; else _files -/; fi
        return
        ;;
      *)
        names+=("$name")
        (( $#name > width )) && width=$#name
        ;;
    esac
  done
  for line in ${lines:#:*}; do
    text=${line#*$'\t'}
    [[ $text == "$line" ]] && text=''
    lists+=("${(r:width:)${line%%$'\t'*}}${text:+  $text}")
  done
  (( $#names )) && compadd -l -S "$space" -d lists -- "${(@)names}"
}

if [[ $funcstack[1] == _lab ]]; then _lab; else compdef _lab lab; fi
