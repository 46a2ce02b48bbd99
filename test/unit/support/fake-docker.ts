import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { newFolder } from './publisher.ts'

// A fake `docker` for tests: a shell script that keeps images in text files. It says what Docker says, as far as the lab reads it.

const script = `#!/bin/sh
# host, node: what is there, one "REF REPO@DIGEST ID" a line (- for no digest; the id may be left out).  registry: what can be pulled.
# faults: pulls that fail first, by network.  hangs: commands that never answer, one a line.  full: no room, where it holds anything.
cd "\${0%/*}" || exit 1
echo "$*" >> calls
! grep -qxs "$1" hangs || exec sleep 300
# Into $f; no other program is started for it, since it is called often
familiar() { case $1 in docker.io/library/*) f=\${1#docker.io/library/} ;; docker.io/*) f=\${1#docker.io/} ;; *) f=$1 ;; esac; }
# In place of what the host has under a name, this line, if any; one at a time, since several are called at once
replace() {
  until mkdir busy 2>/dev/null; do sleep 0.02; done
  grep -v "^$1 " host > host.new; [ -z "$2" ] || echo "$2" >> host.new; mv host.new host
  rmdir busy
}
file_of() { echo "$1" | tr '/:@' '___'; }
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
    file=manifests/$(file_of "$3")
    [ -f "$file" ] || { echo "no such manifest: $3" >&2; exit 1; }
    cat "$file" ;;
  "pull "*)
    for ref in "$@"; do :; done
    left=$(cat faults 2>/dev/null || echo 0)
    if [ "$left" -gt 0 ]; then echo $((left - 1)) > faults; echo 'Error response from daemon: Get "https://quay.io/v2/": dial tcp: lookup quay.io: i/o timeout' >&2; exit 1; fi
    line=$(grep -F -- "$ref" registry | head -n 1)
    [ "$line" ] || { echo "Error response from daemon: manifest for $ref not found: manifest unknown: manifest unknown" >&2; exit 1; }
    echo "0123456789ab: Pulling fs layer"; echo "ba9876543210: Already exists"; echo "0123456789ab: Pull complete"
    case $ref in *@*) replace "$ref" "$ref \${line#* }" ;; *) replace "$ref" "$line" ;; esac ;;
  "tag "*)
    line=$(grep "^$2 " host) || exit 1
    replace "$3" "$3 \${line#* }" ;;
  "save "*)
    shift
    for ref in "$@"; do :; done
    file=saved/$(file_of "$ref")
    if [ -f "$file" ]; then cat "$file"; else echo "$*"; fi ;;
  "load "*)
    cat > loading.tar
    [ -s full ] && { echo 'Error response from daemon: write /layer.tar: no space left on device' >&2; exit 1; }
    ref=$(tar -xOf loading.tar manifest.json | sed 's/.*"RepoTags":\\["//; s/".*//')
    config=$(tar -xOf loading.tar manifest.json | sed 's/.*"Config":"//; s/".*//')
    # As containerd's image store does where the file \`store\` is there: a digest and an id of its own
    if [ -f store ]; then replace "$ref" "$ref \${ref%:*}@sha256:$(cat store) sha256:$(cat store)"
    else replace "$ref" "$ref - sha256:$(echo "$config" | sed 's|.*/||; s|.json$||')"; fi
    mkdir -p loaded; mv loading.tar "loaded/$(file_of "$ref")" ;;
  "run "*) cat > /dev/null; cat probe ;;
  "exec "*)
    left=$(cat booting 2>/dev/null || echo 0)
    # Only whoever asks whether it has booted is told so: what has booted stays, however many ask at once.
    case "$*" in *"ctr version") ;; *) left=0 ;; esac
    [ "\${left:-0}" -gt 0 ] && { echo $((left - 1)) > booting; echo 'Error response from daemon: No such container' >&2; exit 1; }
    case "$*" in
      *"images ls -q") cat node ;;
      *"images import"*) tr ' ' '\\n' >> node ;;
    esac ;;
esac
`

/** Puts the fake first on PATH until `restore`. */
export function fakeDocker() {
  const folder = newFolder()
  const file = (name: string): string => join(folder, name)
  const fileOf = (kind: string, ref: string): string => join(folder, kind, ref.replaceAll(/[/:@]/g, '_'))
  writeFileSync(file('docker'), script)
  chmodSync(file('docker'), 0o755)
  for (const name of ['host', 'node', 'registry', 'calls']) writeFileSync(file(name), '')
  const { PATH } = process.env
  process.env.PATH = `${folder}:${PATH}`
  return {
    /** Adds lines to one of its files. */
    put: (
      name: 'host' | 'node' | 'registry' | 'faults' | 'booting' | 'hangs' | 'info' | 'ps' | 'probe' | 'store' | 'full',
      ...lines: string[]
    ): void => appendFileSync(file(name), `${lines.join('\n')}\n`),
    clear: (name: 'info' | 'full'): void => writeFileSync(file(name), ''),
    /** Takes an image off the host. */
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
    /** What `docker save` or `docker manifest inspect` gives for an image. */
    give: (kind: 'saved' | 'manifests', ref: string, bytes: Buffer | string): void => {
      mkdirSync(dirname(fileOf(kind, ref)), { recursive: true })
      writeFileSync(fileOf(kind, ref), bytes)
    },
    /** The archive that `docker load` was given for an image. */
    loaded: (ref: string): Buffer | undefined =>
      existsSync(fileOf('loaded', ref)) ? readFileSync(fileOf('loaded', ref)) : undefined,
    /** Command lines it was called with. */
    calls: (): string[] =>
      existsSync(file('calls')) ? readFileSync(file('calls'), 'utf8').split('\n').filter(Boolean) : [],
    restore: (): void => {
      process.env.PATH = PATH
    },
  }
}
export type FakeDocker = ReturnType<typeof fakeDocker>
