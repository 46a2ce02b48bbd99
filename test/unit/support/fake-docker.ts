import { appendFileSync, chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newFolder } from './publisher.ts'

// A fake `docker` for tests: a shell script that keeps images in text files. It says what Docker says, as far as the lab reads it.

const script = `#!/bin/sh
# host, node: what is there, one "REF REPO@DIGEST" a line.  registry: what can be pulled.  faults: pulls that fail first, by network.
# hangs: commands that never answer, one a line.
cd "\${0%/*}" || exit 1
echo "$*" >> calls
! grep -qxs "$1" hangs || exec sleep 300
familiar() { echo "$1" | sed -e 's|^docker.io/library/||' -e 's|^docker.io/||'; }
case "$1 $2" in
  "version "*) echo linux/amd64 ;;
  "info "*) cat info ;;
  "ps "*) cat ps 2>/dev/null || true ;;
  "image inspect")
    shift 4; rc=0
    for ref in "$@"; do
      if line=$(grep "^$ref " host); then
        digest=$(familiar "\${line#* }")
        if [ "$digest" = - ]; then digests='[]'; else digests="[\\"$digest\\"]"; fi
        printf '["%s"]\\t%s\\n' "$(familiar "$ref")" "$digests"
      else echo "Error response from daemon: No such image: $ref" >&2; rc=1; fi
    done; exit $rc ;;
  "pull "*)
    for ref in "$@"; do :; done
    left=$(cat faults 2>/dev/null || echo 0)
    if [ "$left" -gt 0 ]; then echo $((left - 1)) > faults; echo 'Error response from daemon: Get "https://quay.io/v2/": dial tcp: lookup quay.io: i/o timeout' >&2; exit 1; fi
    line=$(grep -F -- "$ref" registry | head -n 1)
    [ "$line" ] || { echo "Error response from daemon: manifest for $ref not found: manifest unknown: manifest unknown" >&2; exit 1; }
    echo "0123456789ab: Pulling fs layer"; echo "ba9876543210: Already exists"; echo "0123456789ab: Pull complete"
    case $ref in *@*) echo "$ref \${line#* }" >> host ;; *) echo "$line" >> host ;; esac ;;
  "tag "*) line=$(grep "^$2 " host) || exit 1; echo "$3 \${line#* }" >> host ;;
  "save "*) shift; echo "$*" ;;
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
  writeFileSync(file('docker'), script)
  chmodSync(file('docker'), 0o755)
  for (const name of ['host', 'node', 'registry', 'calls']) writeFileSync(file(name), '')
  const { PATH } = process.env
  process.env.PATH = `${folder}:${PATH}`
  return {
    /** Adds lines to one of its files. */
    put: (
      name: 'host' | 'node' | 'registry' | 'faults' | 'booting' | 'hangs' | 'info' | 'ps' | 'probe',
      ...lines: string[]
    ): void => appendFileSync(file(name), `${lines.join('\n')}\n`),
    clear: (name: 'info'): void => writeFileSync(file(name), ''),
    read: (name: 'host' | 'node'): string[] => readFileSync(file(name), 'utf8').split('\n').filter(Boolean),
    /** Command lines it was called with. */
    calls: (): string[] =>
      existsSync(file('calls')) ? readFileSync(file('calls'), 'utf8').split('\n').filter(Boolean) : [],
    restore: (): void => {
      process.env.PATH = PATH
    },
  }
}
export type FakeDocker = ReturnType<typeof fakeDocker>
