# Prints what can complete the last of these words, which stand after `lab`. The launcher sources this file:
#
#   ./lab --complete policy sh        prints  show<TAB>Show a policy: what it does, costs and needs
#
# Instead of candidates it may print :files or :folders, which the shell completes itself. A first line :nospace means
# that no space follows.
# shellcheck shell=sh disable=SC2154 # The launcher sets here.

# Prints the names of the exercises or policies, one a line
names_in() {
  for file in "$here"/$1; do
    [ -e "$file" ] || continue
    name=${file%"$2"}
    printf '%s\n' "${name##*/}"
  done
}

LAB_POLICIES=$(names_in 'policies/*.yaml' .yaml) LAB_EXERCISES=$(names_in 'labs/*/exercise.yaml' /exercise.yaml) \
  exec awk -F '\t' -f "$here/scripts/completion/complete.awk" -- "$here/scripts/completion/commands.tsv" "$@"
