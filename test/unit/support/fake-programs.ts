import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

// Fakes of the programs that the lab starts: one shell script under each name. It logs its command line and answers
// from files in its folder.

const script = `#!/bin/sh
# node: state of the cluster's node; none without the file.  network: containers in kind's network.
# config: what the node was started with.  kubeconfig: what kind exports.
# secrets.json, workloads.json: what kubectl gets of the namespace "monitoring".
# events.json: the warnings in the namespace "monitoring".  page: what each service answers through the API server.
# state.json, events: what pulumi writes.  hang: while it exists, pulumi waits for SIGINT.
# fail: patterns of command lines that fail, with the text in message.
folder="\${0%/*}"
call="\${0##*/} $*"
echo "$call" >> "$folder/calls"
cd "$folder" || exit 1
if [ -s fail ] && echo "$call" | grep -q -f fail; then cat message >&2; exit 1; fi
save_state() { mkdir -p "\${state%/*}"; sed "s/SERIAL/$(wc -l < calls)/" state.json > "$state"; }
state="$folder/.lab/state/.pulumi/stacks/tetragon-lab/dev.json"
case "$call" in
  "docker inspect "*) cat node 2>/dev/null || exit 1 ;;
  "docker cp "*) cat config 2>/dev/null || exit 1 ;;
  "docker start "* | "docker unpause "*) echo running > node ;;
  "docker network inspect "*) cat network 2>/dev/null || exit 1 ;;
  "docker network rm "*) rm network ;;
  "docker "*) exit 1 ;;
  "kind delete cluster "*) rm -f node ;;
  "kind export kubeconfig "*) while [ "$1" != --kubeconfig ]; do shift; done; cp kubeconfig "$2" ;;
  "pulumi stack init "*) save_state ;;
  "pulumi up "* | "pulumi destroy "*)
    while [ "$1" != --event-log ]; do shift; done
    cat events >> "$2"
    save_state
    [ "\${call#pulumi up}" = "$call" ] || cp kubeconfig .lab/kubeconfig
    trap 'exit 255' INT
    while [ -e hang ]; do sleep 0.02; done ;;
  "kubectl "*" get nodes -o jsonpath"*) echo True ;;
  "kubectl "*" get --raw /readyz"*) echo ok ;;
  "kubectl "*" get secrets "*) cat secrets.json ;;
  "kubectl "*" get deployments"*" -n monitoring "* | "kubectl "*" get deployments"*" --all-namespaces "*) cat workloads.json ;;
  "kubectl "*" get events -n monitoring "*) cat events.json ;;
  "kubectl "*" get --raw /api/v1/namespaces/"*) cat page ;;
  "kubectl "*" get "*) echo '{"items":[]}' ;;
esac
`

/** The events of a successful run. */
const events = [
  { diagnosticEvent: { severity: 'info', message: 'ready' } },
  { summaryEvent: { resourceChanges: { create: 2 }, durationSeconds: 1 } },
]

/**
 * Fake `docker` on PATH, and fake `pulumi`, `kubectl` and `kind` that only `env` leads to. `.lab` is in their folder.
 */
export function fakePrograms() {
  const folder = mkdtempSync(join(tmpdir(), 'fake-programs-'))
  const write = (file: string, content: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    const path = join(folder, file)
    // Replaced at once, because a program may be reading it. A program stays executable.
    writeFileSync(`${path}.new`, content, { mode: existsSync(path) ? statSync(path).mode : 0o644 })
    renameSync(`${path}.new`, path)
  }
  for (const name of ['pulumi', 'kubectl', 'kind']) write(name, script)
  write('path/docker', script.replace('${0%/*}', '${0%/*}/..'))
  for (const name of ['pulumi', 'kubectl', 'kind', 'path/docker']) chmodSync(join(folder, name), 0o755)
  const { PATH, LAB_DIR, DOCKER_HOST } = process.env
  process.env.PATH = `${join(folder, 'path')}:${PATH}`
  process.env.LAB_DIR = join(folder, '.lab')
  // No engine answers at this address.
  process.env.DOCKER_HOST = `unix://${folder}/docker.sock`
  const lines = (): string[] =>
    existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n') : []
  const programs = {
    folder,
    env: {
      PATH: `${folder}:${process.env.PATH}`,
      PULUMI_CONFIG_PASSPHRASE_FILE: join(folder, '.lab', 'passphrase'),
      KUBECONFIG: join(folder, '.lab', 'kubeconfig'),
    },
    write,
    remove: (file: string): void => rmSync(join(folder, file), { force: true }),
    exists: (file: string): boolean => existsSync(join(folder, file)),
    read: (file: string): string => readFileSync(join(folder, file), 'utf8'),
    /** Sets the resources of the state that pulumi writes, and writes it already, if `now`. */
    resources: (list: { urn: string; type: string; inputs?: object }[], { now = false } = {}): void => {
      write('state.json', JSON.stringify({ version: 3, serial: 'SERIAL', checkpoint: { latest: { resources: list } } }))
      if (now) write('.lab/state/.pulumi/stacks/tetragon-lab/dev.json', programs.read('state.json'))
    },
    /** Sets the workloads of the namespace monitoring, and the containers of their pods. */
    workloads: (...list: { name: string; ready?: number; wanted?: number; containers?: object[] }[]): void =>
      write(
        'workloads.json',
        JSON.stringify({
          items: list.flatMap(({ name, ready = 1, wanted = 1, containers = [] }) => [
            {
              kind: 'StatefulSet',
              metadata: { name, namespace: 'monitoring', annotations: { 'meta.helm.sh/release-name': name } },
              spec: { replicas: wanted },
              status: { readyReplicas: ready },
            },
            {
              kind: 'Pod',
              metadata: {
                name: `${name}-0`,
                namespace: 'monitoring',
                ownerReferences: [{ kind: 'StatefulSet', name }],
              },
              status: { containerStatuses: containers },
            },
          ]),
        }),
      ),
    /** Makes command lines fail that match a pattern. */
    fail: (pattern: string, message = 'refused'): void => {
      appendFileSync(join(folder, 'fail'), `${pattern}\n`)
      write('message', message)
    },
    /** Returns the command lines since the last call, without the options. */
    calls: (): string[] => {
      const calls = lines()
      writeFileSync(join(folder, 'calls'), '')
      return calls.map(call => call.replace(/ --(context|kubeconfig) \S+/g, '').replace(/ --?\w.*/, ''))
    },
    /** Returns whether a command line with this beginning has run. */
    called: (start: string): boolean => lines().some(line => line.startsWith(start)),
    /** Returns the command lines since the last call that begin so, whole. */
    callsOf: (start: string): string[] => lines().filter(line => line.startsWith(start)),
    restore: (): void => {
      for (const [name, value] of Object.entries({ PATH, LAB_DIR, DOCKER_HOST })) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
  write('events', events.map(event => `${JSON.stringify(event)}\n`).join(''))
  write('events.json', '{"items":[]}')
  write('page', '{"status":"ok","data":{"result":[1]}}')
  write('secrets.json', '{"items":[]}')
  write(
    'kubeconfig',
    'current-context: kind-lab\nclusters: [{cluster: {server: "https://127.0.0.1:1"}}]\nusers: [{user: {client-key-data: x}}]\n',
  )
  programs.resources([])
  programs.workloads()
  return programs
}
export type FakePrograms = ReturnType<typeof fakePrograms>
