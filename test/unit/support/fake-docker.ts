import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { newFolder } from './folders.ts'

// A fake `docker` for tests: a shell script that keeps images in text files and prints what Docker prints, as far as
// the lab reads it. It runs often, so it starts as few other programs as possible.

const script = `#!/bin/sh
# host, node: the images there, one "REF REPO@DIGEST ID" a line (- for no digest; the id may be left out).
# registry: images to pull.  faults: number of pulls that fail first.  hangs: commands that never finish, one a line.
# full: the disk is full unless this is empty.
cd "\${0%/*}" || exit 1
echo "$*" >> calls
if [ -f hangs ]; then
  while read -r name; do [ "$name" != "$1" ] || exec sleep 300; done < hangs
fi
# Prints to $f, without starting a program
familiar() { case $1 in docker.io/library/*) f=\${1#docker.io/library/} ;; docker.io/*) f=\${1#docker.io/} ;; *) f=$1 ;; esac; }
file_of() { set -f; IFS=/:@; set -- $1; IFS=_; f="$*"; unset IFS; set +f; }
# Replaces the line of an image on the host by $2, or deletes it. A lock is needed, since several commands run at once.
replace() {
  until mkdir busy 2>/dev/null; do sleep 0.02; done
  {
    while read -r line; do case $line in "$1 "*) ;; *) echo "$line" ;; esac; done < host
    [ -z "$2" ] || echo "$2"
  } > host.new
  mv host.new host
  rmdir busy
}
case "$1 $2" in
  "version "*) case $* in *Version*) echo 20.10.24 28.2.2 ;; *) echo linux/amd64 ;; esac ;;
  "info "*) cat info ;;
  "ps "*) cat ps 2>/dev/null || true ;;
  "image inspect")
    wants=$4; shift 4; rc=0
    for ref in "$@"; do
      found=
      while read -r name digest id; do
        [ "$name" = "$ref" ] || continue
        found=yes
        familiar "$digest"
        if [ "$digest" = - ]; then digests='[]'; else digests="[\\"$f\\"]"; fi
        familiar "$ref"
        case $wants in
          '{{.Size}}') echo 1000000 ;;
          '{{.Id}}') echo "$id" ;;
          *) printf '["%s"]\\t%s\\t%s\\n' "$f" "$digests" "$id" ;;
        esac
      done < host
      [ "$found" ] || { echo "Error response from daemon: No such image: $ref" >&2; rc=1; }
    done; exit $rc ;;
  "image rm") replace "$3" ;;
  "manifest inspect")
    file_of "$3"
    [ -f "manifests/$f" ] || { echo "no such manifest: $3" >&2; exit 1; }
    cat "manifests/$f" ;;
  "pull "*)
    for ref in "$@"; do :; done
    left=0; [ ! -f faults ] || read -r left < faults
    if [ "$left" -gt 0 ]; then echo $((left - 1)) > faults; echo 'Error response from daemon: Get "https://quay.io/v2/": dial tcp: lookup quay.io: i/o timeout' >&2; exit 1; fi
    found=
    while read -r line; do case $line in *"$ref"*) found=$line; break ;; esac; done < registry
    [ "$found" ] || { echo "Error response from daemon: manifest for $ref not found: manifest unknown: manifest unknown" >&2; exit 1; }
    echo "0123456789ab: Pulling fs layer"; echo "ba9876543210: Already exists"; echo "0123456789ab: Pull complete"
    case $ref in *@*) replace "$ref" "$ref \${found#* }" ;; *) replace "$ref" "$found" ;; esac ;;
  "tag "*)
    found=
    while read -r line; do case $line in "$2 "*) found=$line; break ;; esac; done < host
    [ "$found" ] || exit 1
    replace "$3" "$3 \${found#* }" ;;
  "save "*)
    shift
    for ref in "$@"; do :; done
    file_of "$ref"
    if [ -f "saved/$f" ]; then cat "saved/$f"; else echo "$*"; fi ;;
  "load "*)
    cat > loading.tar
    [ -s full ] && { echo 'Error response from daemon: write /layer.tar: no space left on device' >&2; exit 1; }
    manifest=$(tar -xOf loading.tar manifest.json)
    ref=\${manifest#*\\"RepoTags\\":[\\"}; ref=\${ref%%\\"*}
    config=\${manifest#*\\"Config\\":\\"}; config=\${config%%\\"*}; config=\${config##*/}
    # Where the file store exists, as the containerd image store does: a digest and id of its own
    if [ -f store ]; then read -r own < store; replace "$ref" "$ref \${ref%:*}@sha256:$own sha256:$own"
    else replace "$ref" "$ref - sha256:\${config%.json}"; fi
    file_of "$ref"; mv loading.tar "loaded/$f" ;;
  "run "*) cat > /dev/null; cat probe ;;
  "exec "*)
    # Only \`ctr version\` fails while the node starts
    case "$*" in
      *"ctr version")
        left=0; [ ! -f booting ] || read -r left < booting
        [ "$left" -gt 0 ] && { echo $((left - 1)) > booting; echo 'Error response from daemon: No such container' >&2; exit 1; } ;;
      *"images ls -q") cat node ;;
      *"images import"*) tr ' ' '\\n' >> node ;;
    esac
    exit 0 ;;
esac
`

/** Puts the fake docker first on PATH until `restore` is called. */
export function fakeDocker() {
  const folder = newFolder()
  const file = (name: string): string => join(folder, name)
  const fileOf = (kind: string, ref: string): string => join(folder, kind, ref.replaceAll(/[/:@]/g, '_'))
  writeFileSync(file('docker'), script)
  chmodSync(file('docker'), 0o755)
  for (const name of ['host', 'node', 'registry', 'calls']) writeFileSync(file(name), '')
  mkdirSync(file('loaded'))
  const { PATH } = process.env
  process.env.PATH = `${folder}:${PATH}`
  return {
    /** Adds lines to one of its files. */
    put: (
      name: 'host' | 'node' | 'registry' | 'faults' | 'booting' | 'hangs' | 'info' | 'ps' | 'probe' | 'store' | 'full',
      ...lines: string[]
    ): void => appendFileSync(file(name), `${lines.join('\n')}\n`),
    clear: (name: 'info' | 'full'): void => writeFileSync(file(name), ''),
    /** Removes an image from the host. */
    remove: (ref: string): void =>
      writeFileSync(
        file('host'),
        readFileSync(file('host'), 'utf8')
          .split('\n')
          .filter(line => line && !line.startsWith(`${ref} `))
          .map(line => `${line}\n`)
          .join(''),
      ),
    read: (name: 'host' | 'node'): string[] => readFileSync(file(name), 'utf8').split('\n').filter(Boolean),
    /** Sets what `docker save` or `docker manifest inspect` prints for an image. */
    give: (kind: 'saved' | 'manifests', ref: string, bytes: Buffer | string): void => {
      mkdirSync(dirname(fileOf(kind, ref)), { recursive: true })
      writeFileSync(fileOf(kind, ref), bytes)
    },
    /** Returns the archive that `docker load` received for an image. */
    loaded: (ref: string): Buffer | undefined =>
      existsSync(fileOf('loaded', ref)) ? readFileSync(fileOf('loaded', ref)) : undefined,
    /** Returns the arguments of each call. */
    calls: (): string[] =>
      existsSync(file('calls')) ? readFileSync(file('calls'), 'utf8').split('\n').filter(Boolean) : [],
    restore: (): void => {
      process.env.PATH = PATH
    },
  }
}
export type FakeDocker = ReturnType<typeof fakeDocker>
