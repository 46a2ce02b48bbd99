#!/bin/sh
# Installs a release of Tetragon Lab: downloads it, checks its sha256, and unpacks it into a new folder. Touches
# nothing else. `sh install.sh --help` lists the options.
set -eu

# Written by .ci/release: where the releases are, and which of them this file belongs to.
releases=
release=

usage() {
  cat <<END
Usage: install.sh [VERSION] [options]

Installs a release of Tetragon Lab into a new folder.

  VERSION           as in 0.2.0${release:+ (default: $release)}
  --into FOLDER     new folder (default: tetragon-lab-VERSION, in the current folder)
  --sha256 DIGEST   digest that you know from elsewhere. Without it, the published one is used
  --from ADDRESS    where the releases are${releases:+ (default: $releases)}

Example:
  curl -fsSL ${releases:-https://github.com/OWNER/tetragon-lab/releases/download}/v${release:-0.2.0}/install.sh | sh
END
}

# die ERROR EXPECTED FIX: an empty EXPECTED is left out
die() {
  printf 'Error     %s\n' "$1" >&2
  [ -z "$2" ] || printf 'Expected  %s\n' "$2" >&2
  printf 'Fix       %s\n' "$3" >&2
  exit "${4:-1}"
}

has() { command -v "$1" >/dev/null 2>&1; }

fetch() {
  if has curl; then curl -fsSL --retry 3 -o "$2" "$1"
  else wget -q -O "$2" "$1"; fi
}

sha256_of() {
  if has sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# Prints a path as a shell reads it back
quote() {
  case $1 in
    *[!0-9A-Za-z_./-]*) printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf %s "$1" ;;
  esac
}

# The whole script is this function, which the last line calls, so that half a download does nothing.
main() {
  version=$release into='' digest='' from=$releases
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit ;;
      --into | --sha256 | --from)
        [ -n "${2:-}" ] || die "$1 needs a value" '' 'install.sh --help' 2
        case $1 in --into) into=$2 ;; --sha256) digest=$2 ;; --from) from=$2 ;; esac
        shift ;;
      -*) die "There is no option $1" '' 'install.sh --help' 2 ;;
      *) version=${1#v} ;;
    esac
    shift
  done
  case $version in
    '') die 'No version was given' 'a version, as in 0.2.0' 'install.sh 0.2.0' 2 ;;
    [!0-9]* | *[!0-9A-Za-z.-]*) die "$version is not a version" 'a version, as in 0.2.0' 'install.sh 0.2.0' 2 ;;
  esac
  [ -n "$from" ] || die 'This copy of install.sh has no address of releases' '' \
    "install.sh $version --from https://github.com/OWNER/tetragon-lab/releases/download" 2

  has curl || has wget || die 'There is no curl or wget on PATH' '' 'install one of them, as in: apt-get install curl'
  has sha256sum || has shasum || die 'There is no sha256sum or shasum on PATH' '' 'install coreutils'
  has tar || die 'There is no tar on PATH' '' 'install it, as in: apt-get install tar'

  name=tetragon-lab-$version
  into=${into:-$name}
  case $into in /*) ;; *) into=$PWD/$into ;; esac
  { [ ! -e "$into" ] && [ ! -h "$into" ]; } || die "$into already exists" 'a new folder' "install.sh $version --into FOLDER"
  into=${into%/}
  parent=${into%/*}
  [ -d "${parent:-/}" ] || die "There is no folder $parent" '' "mkdir -p $(quote "$parent")"

  # Beside the new folder, so that nothing else is touched and the last step is a rename.
  part=$into.part
  mkdir "$part" 2>/dev/null || die "$part cannot be created" 'a folder that you can write to, and no other installation' \
    "install.sh $version --into FOLDER; after an interrupted installation: rm -r $(quote "$part")"
  trap 'rm -rf "$part"' EXIT
  trap 'exit 130' INT TERM HUP

  file=$name.tar.gz
  url=${from%/}/v$version/$file
  fetch "$url" "$part/$file" || die "$url cannot be downloaded" 'a released version, and a network connection' \
    'compare the version with the list of releases, then repeat the command'
  whose='the one that you gave'
  if [ -z "$digest" ]; then
    whose='the published one'
    fetch "$url.sha256" "$part/sha256" || die "$url.sha256 cannot be downloaded" '' 'repeat the command'
    read -r digest _ < "$part/sha256" || :
  fi
  found=$(sha256_of "$part/$file")
  [ "$found" = "$digest" ] || die "The sha256 of $file is $found" "$digest" \
    'repeat the command; if it fails again, do not use this file'

  mkdir "$part/unpacked"
  tar -xzf "$part/$file" -C "$part/unpacked" || die "$file cannot be unpacked" '' 'check the free space, then repeat the command'
  mv "$part/unpacked/$name" "$into"
  rm -rf "$part"
  trap - EXIT INT TERM HUP

  cat <<END
Tetragon Lab $version is in $into. Nothing else was changed.
From    $url
sha256  $found, $whose
Start   $(quote "$into/lab") doctor
Undo    rm -r $(quote "$into")
        If a lab is running, first: $(quote "$into/lab") down
END
}

main "$@"
