# Finds the candidates for the last word of a command line in commands.tsv. Runs in every awk: gawk, mawk, busybox, macOS.
#
#   command   PATH  NAME    DESCRIPTION   a subcommand; PATH is that of its parent, as in "policy"
#   alias     PATH  ALIAS   NAME
#   option    PATH  NAME    KIND  DESCRIPTION   KIND is empty for an option without a value
#   argument  PATH  NUMBER  KIND          the NUMBERth argument; "2..." is the second and every later one
#   value     KIND  VALUE   DESCRIPTION

BEGIN {
  for (i = 2; i < ARGC; i++) typed[i - 1] = ARGV[i]
  count = ARGC - 2
  ARGC = 2
}

$1 == "command" { subcommand[$2, $3] = $3; add($2, $3, $4) }
$1 == "alias" { subcommand[$2, $3] = $4 }
$1 == "option" { option[$2, $3] = $4; known[$2, $3] = 1; if ($5 != "") add_option($2, $3, $5) }
$1 == "argument" { argument[$2, $3] = $4 }
$1 == "value" { values[$2] = values[$2] $3 "\t" $4 "\n" }

# Lists of candidates, one a line
function add(path, name, description) { commands[path] = commands[path] name "\t" description "\n" }
function add_option(path, name, description) { options[path] = options[path] name "\t" description "\n" }

END {
  path = ""
  position = 0
  pending = ""
  for (i = 1; i < count; i++) read_word(typed[i])
  complete(typed[count])
}

# Follows a word that is complete
function read_word(word) {
  if (pending != "") { pending = ""; return }
  if (word ~ /^-./) {
    if (word !~ /=/) pending = option_kind(word)
  } else if (position == 0 && (path, word) in subcommand) {
    path = path (path == "" ? "" : " ") subcommand[path, word]
  } else {
    position++
    previous = word
  }
}

# An option belongs to a command or to the whole program
function option_kind(name) { return (path, name) in known ? option[path, name] : option["", name] }

function complete(word,    at) {
  if (pending != "") return offer(pending, word, "")
  if (word ~ /^--[a-z-]+=/) {
    at = index(word, "=")
    return offer(option_kind(substr(word, 1, at - 1)), substr(word, at + 1), substr(word, 1, at))
  }
  if (word ~ /^-/) {
    list(options[path], word, "")
    if (path != "") list(options[""], word, "", options[path])
    return
  }
  if (position == 0 && path in commands) list(commands[path], word, "")
  offer(argument_kind(position + 1), word, "")
}

function argument_kind(number) {
  if ((path, number) in argument) return argument[path, number]
  for (; number > 0; number--) if ((path, number "...") in argument) return argument[path, number "..."]
  return ""
}

# Prints the candidates of a kind, with what stands before the value in the same word
function offer(kind, word, before) {
  if (kind == "file") print ":files"
  else if (kind == "folder") print ":folders"
  else if (kind == "policy" && word ~ /\//) print ":files"
  else if (kind == "policy") list(ENVIRON["LAB_POLICIES"], word, before)
  else if (kind == "exercise") list(ENVIRON["LAB_EXERCISES"], word, before)
  else if (kind == "value") list(values[previous], word, before)
  else if (kind == "assignment") assign(word, before)
  else list(values[kind], word, before)
}

# SETTING=VALUE, where the setting has no namespace
function assign(word, before,    at, all) {
  at = index(word, "=")
  if (at > 0) return list(values["tetragon-lab:" substr(word, 1, at - 1)], substr(word, at + 1), before substr(word, 1, at))
  all = values["setting"]
  gsub(/tetragon-lab:/, "", all)
  gsub(/\t/, "=\t", all)
  print ":nospace"
  list(all, word, before)
}

# Prints the lines that start with a word, except names that another list has
function list(lines, word, before, except,    row, number, rows) {
  number = split(lines, rows, "\n")
  for (row = 1; row <= number; row++) {
    if (rows[row] == "" || substr(rows[row], 1, length(word)) != word) continue
    if (except != "" && index("\n" except, "\n" substr(rows[row], 1, index(rows[row], "\t")))) continue
    print before rows[row]
  }
}
