import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { installScript } from '../../scripts/cluster/cluster-addresses.ts'
import { cleanScript } from '../../scripts/cluster/image-volume.ts'
import { endsWithConnection } from '../../scripts/cluster/remote-command.ts'
import { probeArguments } from '../../scripts/kernel/node-kernel.ts'
import { cleaningPod } from '../../scripts/lab/existing-cluster.ts'
import type { Recording } from '../../scripts/plan/fake-engine.ts'
import { catalogEntry, readCatalog } from '../../scripts/policy/catalog.ts'
import { readScript } from '../../scripts/policy/trial/policy-events.ts'
import { type ImageName, imageNames, imageRef, readLock } from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'
import { policyFolder } from '../../shared/policy-file.ts'
import { readStackConfig } from '../../shared/settings/stack-file.ts'
import { settingsFileName } from '../../shared/stack.ts'
import {
  readProductionWorkloads,
  readWorkloads,
  type WorkloadContainer,
  type WorkloadPodSpec,
} from '../charts/render.ts'
import {
  commandProblems,
  factsOf,
  type ImageFacts,
  outdatedFacts,
  podProblems,
  readImageFacts,
  readNodeImageFacts,
} from '../images/image-facts.ts'
import { commandsIn, shellWords, unwrapShell } from '../images/shell-words.ts'
import { newFolder } from '../unit/support/folders.ts'
import { planEach } from './support/plans.ts'

// Compares every Pod, probe, script and `exec` of the lab with what its publishers say of its images.

const facts = readImageFacts()
const nodeImage = readNodeImageFacts()
const lock = readLock('')
const plans = await planEach(
  {
    replay: { tetragon: { source: 'replay' } },
    live: { tetragon: { source: 'live', runtimeHooks: true } },
    upstream: { tetragon: { source: 'live' }, guestbook: { images: 'upstream' } },
    'Pulumi.production.yaml': readStackConfig(join(projectDir, settingsFileName('production'))),
  },
  { LAB_DIR: newFolder(), LAB_LOCK: '' },
)

interface Pod {
  name: string
  spec: WorkloadPodSpec
}

const textOf = (file: string): string => readFileSync(join(projectDir, file), 'utf8')

interface Controller {
  metadata: { name: string }
  spec: { template: { spec: WorkloadPodSpec } }
}
const podOf = ({ metadata, spec }: Controller): Pod => ({ name: metadata.name, spec: spec.template.spec })

/** Returns the Pods that the program creates itself. */
const podsOf = ({ resources }: Recording): Pod[] =>
  resources
    .filter(({ type }) => /^kubernetes:(apps|batch)\/v1:(Deployment|DaemonSet|StatefulSet|Job)$/.test(type))
    .map(({ inputs }) => podOf(inputs as unknown as Controller))

/** Returns the Pods that commands of the lab create, and that of the check for Argo CD and Flux. */
function podsOfCommands(): Pod[] {
  const { image } = facts.node
  const probe = probeArguments('node-1', image)
  const option = (name: string): string => probe.find(arg => arg.startsWith(`--${name}=`))!.slice(name.length + 3)
  const container = { name: 'probe', image: option('image'), command: probe.slice(probe.indexOf('--') + 1) }
  const { spec } = JSON.parse(option('overrides')) as { spec: WorkloadPodSpec }
  return [
    { name: 'lab-kernel-probe', spec: { ...spec, containers: [container] } },
    { name: 'lab-clean-up', spec: cleaningPod('lab-clean-up', 'node-1', ['/run/tetragon'], image).spec },
    podOf(parse(textOf('gitops/check-agents/check-agents.yaml')) as Controller),
  ]
}

const allPods: [string, Pod][] = [
  ...Object.entries(plans).flatMap(([plan, recording]) =>
    podsOf(recording).map((pod): [string, Pod] => [`${pod.name} (${plan})`, pod]),
  ),
  ...readWorkloads().map(({ name, spec }): [string, Pod] => [`${name} (chart)`, { name, spec }]),
  ...readProductionWorkloads().map(({ name, spec }): [string, Pod] => [`${name} (production)`, { name, spec }]),
  ...podsOfCommands().map((pod): [string, Pod] => [pod.name, pod]),
]
const podNamed = (name: string): Pod | undefined => allPods.find(([, pod]) => pod.name === name)?.[1]
const containerOf = (pod: string, name: string): WorkloadContainer =>
  podNamed(pod)!.spec.containers.find(container => container.name === name)!

describe('image facts', () => {
  it('are there for every image of the lock, in its version', () => {
    expect(Object.keys(facts).sort()).toEqual([...imageNames].sort())
    expect(outdatedFacts(facts, lock), 'read the Dockerfile of the new version, then correct images.yaml').toEqual([])
  })

  it.each(imageNames)('%s has a source, and the platforms of the lock', name => {
    expect(facts[name].source).toMatch(/^https:\/\/github\.com\/[^/]+\/[^/]+\/blob\/.+\/Dockerfile/)
    expect(facts[name].platforms).toEqual(lock.images[name].platforms ?? ['linux/amd64', 'linux/arm64'])
  })

  it('of the node are those of the release of kind that made it', () => {
    expect(nodeImage.image, 'read the Dockerfile of the new version, then correct images.yaml').toBe(
      imageRef(lock.nodeImage),
    )
    expect(nodeImage.source).toContain(`/blob/v${lock.tools.kind.version}/images/base/Dockerfile`)
  })

  it('follow the leader: the followers of the original Guestbook and its leader are the same Redis', () => {
    const image = containerOf('redis-leader', 'leader').image
    expect(image).toBe(imageRef(lock.images.redis))
    const [, original] = allPods.find(([name]) => name === 'redis-leader (upstream)')!
    expect(original.spec.containers[0]!.image).toBe(imageRef(lock.images['guestbook-redis-leader']))
    expect(lock.images['guestbook-redis-leader'].tag).toMatch(/^6\./)
    expect(facts['guestbook-redis-follower'].unverified).toContain('redis:6.')
  })
})

describe('Pods', () => {
  it.each(allPods)('%s fits its images', (_, { spec }) => {
    expect(podProblems(facts, spec)).toEqual([])
  })

  const container = (changes: Partial<WorkloadContainer>, image: ImageName = 'node'): WorkloadPodSpec => ({
    containers: [{ name: 'c', image: facts[image].image, command: ['node'], ...changes }],
  })

  it.each<[string, WorkloadPodSpec, string]>([
    ['a missing command', container({ command: ['curl'] }), 'c: docker.io/library/node:24-alpine has no curl'],
    [
      'a missing command in a probe',
      container({ readinessProbe: { exec: { command: ['bash', '-c', 'true'] } } }),
      'c: docker.io/library/node:24-alpine has no bash',
    ],
    [
      'a named user',
      container({ securityContext: { runAsNonRoot: true }, command: undefined }, 'kube-state-metrics'),
      'c: runAsNonRoot needs a number, but the image has the user nobody',
    ],
    [
      'root',
      container({ securityContext: { runAsNonRoot: true } }),
      'c: runAsNonRoot is set, but the container runs as root',
    ],
    [
      'a folder that cannot be written',
      container({ securityContext: { readOnlyRootFilesystem: true }, command: undefined }, 'redis'),
      'c: the root file system is read-only, and nothing writable is mounted at /data',
    ],
    [
      'an image without an entry point',
      container({ command: undefined }, 'tetragon-rthooks'),
      'c: neither the Pod nor the image has a command',
    ],
  ])('with %s do not fit', (_, spec, problem) => {
    expect(podProblems(facts, spec)).toEqual([problem])
  })
})

/** A command that a text runs in a container. */
interface Exec {
  where: string
  text: string
}

/** Returns all strings in a YAML value. */
function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : []
}

/** Returns every `kubectl exec` in the documentation, the exercises, the policies and the messages of the lab. */
function execs(): Exec[] {
  const files = globSync(
    ['*.md', 'docs/**/*.md', 'labs/*/*', 'labs/*/{files,solution}/*', '{scripts,dashboards}/**/*.ts'],
    { cwd: projectDir },
  )
  const texts = [
    ...files
      .filter(file => /\.(md|sh|ts|yaml)$/.test(file))
      .flatMap(file => {
        const all = file.endsWith('exercise.yaml') ? strings(parse(textOf(file))) : [textOf(file)]
        // A cell of a Markdown table escapes its pipes.
        return all.map(text => ({ where: file, text: text.replaceAll('\\|', '|') }))
      }),
    ...readCatalog().map(({ name, trial }) => ({ where: `policies/try/${name}.yaml`, text: trial.run })),
  ]
  return texts.flatMap(({ where, text }) =>
    [...text.matchAll(/\bkubectl\b(?:(?!\bkubectl\b)[^\n|;`])*?\sexec\s/g)]
      .map(match => ({ where, text: text.slice(match.index + match[0].length) }))
      .filter(exec => / -- /.test(exec.text.slice(0, 120))),
  )
}

/** Splits what follows `kubectl exec`: the target, its container, and the command. */
function parseExec(text: string): { target: string; container?: string; command: string[] } {
  const words = shellWords(text)
  const end = words.indexOf('--')
  const options = words.slice(0, end)
  const flag = options.findIndex(word => word === '-c' || word === '--container')
  const withValue = new Set(['-c', '--container', '-n', '--namespace'])
  const target = options.find((word, index) => !word.startsWith('-') && !withValue.has(options[index - 1] ?? ''))
  return { target: target ?? '', container: flag < 0 ? undefined : options[flag + 1], command: words.slice(end + 1) }
}

/** Where the agent's file is: the agent, or the replay in its place. A script finds out which of them runs. */
const eventSources = [containerOf('tetragon', 'tetragon'), containerOf('tetragon-replay', 'replay')]

/** Returns what is wrong with an `exec`; nothing if it can run. */
function execProblems(text: string): string[] {
  const { target, container, command } = parseExec(text)
  // A placeholder of a text, or a command that only completes the tool.
  if (command.length === 0 || /^[A-Z…]/.test(command[0]!)) return []
  let containers = eventSources
  if (target.startsWith('$')) {
    if (!container) return [`${target} needs -c: a Pod may have several containers`]
  } else {
    const pod = podNamed(target.replace(/^[a-z]+\//, ''))
    if (!pod) return [`there is no ${target}`]
    const all = pod.spec.containers
    if (all.length > 1 && !container) return [`${target} has ${all.length} containers: add -c`]
    containers = all.filter(({ name }) => !container || name === container)
    if (containers.length === 0) return [`${target} has no container ${container}`]
  }
  return containers.flatMap(each => commandProblems(factsOf(facts, each), command))
}

describe('commands in containers', () => {
  const all = execs()

  it('are found in documents, exercises, scripts and policies', () => {
    expect(all.length).toBeGreaterThan(40)
    for (const part of ['docs/', 'labs/13-nothing-is-lost/files/compare.sh', 'labs/14', 'policies/'])
      expect(
        all.some(({ where }) => where.startsWith(part)),
        part,
      ).toBe(true)
  })

  it.each(all.map(({ where, text }) => [where, text.split('\n')[0]!, text]))('%s: %s', (_, __, text) => {
    expect(execProblems(text)).toEqual([])
  })

  it('need a container where the Pod has several, and a program that the image has', () => {
    expect(execProblems('ds/tetragon -- ls /')).toEqual(['ds/tetragon has 2 containers: add -c'])
    expect(execProblems('"$agent" -- ls /')).toEqual(['$agent needs -c: a Pod may have several containers'])
    expect(execProblems('ds/tetragon -c export-stdout -- cat /etc/passwd')).toEqual([
      'quay.io/cilium/hubble-export-stdout:v1.1.1 has no cat',
    ])
    expect(execProblems("deploy/visitor -- sh -c 'id; curl -s http://frontend/ | head -1'")).toEqual([
      'docker.io/library/node:24-alpine has no curl',
    ])
    expect(execProblems('sts/loki -- sh')).toEqual(['docker.io/grafana/loki:3.7.6 has no sh'])
  })

  it('of the lab itself name the agent’s container', () => {
    for (const file of globSync(['scripts/**/*.ts', 'bench/**/*.ts', 'test/**/*.ts'], { cwd: projectDir }))
      for (const [, rest] of textOf(file).matchAll(/'exec',\s*[`']ds\/\$?\{?[\w.]*tetragon\}?[`'],([^\]]*)/g))
        expect(rest, file).toContain("'-c'")
  })

  it('do not need the node to be a container', () => {
    for (const file of globSync('labs/*/*.{md,yaml}', { cwd: projectDir }))
      expect(textOf(file), file).not.toMatch(/docker exec \S*control-plane/)
  })

  it.each<[script: string, image: ImageFacts, text: string]>([
    ['visitor.sh', factsOf(facts, containerOf('visitor', 'shell')), textOf('stacks/application/visitor/visitor.sh')],
    ['probe.sh in a Pod', facts.node, textOf('scripts/kernel/probe.sh')],
    ['probe.sh in a container', nodeImage, textOf('scripts/kernel/probe.sh')],
    ['the reader of events', facts.tetragon, readScript],
    ['the script that ends with its connection', facts.tetragon, endsWithConnection([])[2]!],
    ['the script that cleans the volume of images', nodeImage, cleanScript],
    ['the script that confines the cluster’s addresses', nodeImage, installScript],
  ])('of %s exist in its image', (_, image, text) => {
    expect(commandsIn(text)).not.toEqual([])
    expect(commandProblems(image, ['sh', '-c', text])).toEqual([])
  })

  it('on the node exist in its image', () => {
    const calls = [
      /'exec',\s*(?:'-[-\w]+',\s*)*(?:node|this\.#node|spec\.nodeName!),\s*'([^']+)'/g,
      /docker exec (?:-\S+ )*(?:"\$node"|\$\{node\}) (\S+)/g,
    ]
    const texts = globSync('{scripts,bench,test}/**/*.ts', { cwd: projectDir }).map(textOf)
    const commands = texts.flatMap(text =>
      calls.flatMap(call => [...text.matchAll(call)].map(([, command]) => command!)),
    )
    expect(commands).toEqual(expect.arrayContaining(['cat', 'crictl', 'ctr', 'curl', 'readlink', 'sh']))
    expect(commands.flatMap(command => commandProblems(nodeImage, [command]))).toEqual([])
  })
})

describe('policies', () => {
  interface Filter {
    index?: number
    args?: number[]
    values?: string[]
  }
  interface Hook {
    args?: { type: string; resolve?: string }[]
    selectors?: { matchArgs?: Filter[] }[]
  }
  const shells = /\/(ash|bash|dash|sh)$/

  it.each(readCatalog().map(({ name }) => name))('%s sees programs in images where each is busybox', name => {
    const { spec } = parse(readFileSync(join(policyFolder, `${name}.yaml`), 'utf8')) as { spec: { kprobes?: Hook[] } }
    for (const { args = [], selectors = [] } of spec.kprobes ?? []) {
      const compared = (matches: (arg: { type: string; resolve?: string }) => boolean): string[] =>
        selectors.flatMap(({ matchArgs = [] }) =>
          matchArgs.flatMap(({ index, args: list = [], values = [] }) =>
            [index, ...list].some(each => each !== undefined && args[each] && matches(args[each])) ? values : [],
          ),
        )
      const files = compared(({ type }) => type === 'linux_binprm')
      expect(files, 'every command of an Alpine image is /bin/busybox').not.toContain('/busybox')
      const applets = files.filter(file => facts.node.programs.has(file.slice(1)) || shells.test(file))
      expect(compared(({ resolve }) => resolve === 'filename')).toEqual(expect.arrayContaining(applets))
    }
  })

  it('that observe opened files of an image expect two events per open', () => {
    const observing = readCatalog().filter(({ name, enforces }) => {
      const text = readFileSync(join(policyFolder, `${name}.yaml`), 'utf8')
      return !enforces && /call: security_file_open/.test(text) && /\/etc\//.test(text)
    })
    expect(observing.map(({ name }) => name)).toEqual(['deny-shadow-monitor', 'sensitive-file-access'])
    for (const { name, costs } of observing) expect(costs, name).toContain('overlayfs')
    for (const file of ['dashboards/security.ts', 'labs/04-find-the-reader/README.md'])
      expect(textOf(file), file).toMatch(/A file of the image,.*(twice|two).*overlayfs/s)
  })

  it.each(['tcp-connect', 'tcp-connect-frontend', 'tcp-connect-namespace'])(
    '%s is triggered with a page for which a frontend connects to Redis',
    name => {
      expect(catalogEntry(name).trial.run).toMatch(/guestbook\.php\?cmd=get&key=messages/)
    },
  )
})

describe('shell words', () => {
  it('end where the command ends', () => {
    expect(shellWords(`-c x -- sh -c 'a; b' "c d" e\\ f | head`)).toEqual([
      '-c',
      'x',
      '--',
      'sh',
      '-c',
      'a; b',
      'c d',
      'e f',
    ])
    expect(shellWords('ls / # comment')).toEqual(['ls', '/'])
  })

  it('in a script name its programs', () => {
    expect(unwrapShell(['/bin/sh', '-c', 'x'])).toBe('x')
    expect(
      commandsIn(`
f() { sleep 1; }
n=$(date +%s)
for m in 1 2; do echo "$m $(cat x | grep -c y)"; done
if command -v curl >/dev/null; then curl x; elif command -v wget >/dev/null; then wget y; fi
f || tail -f 'a; b' # rm
`).sort(),
    ).toEqual(['cat', 'date', 'grep', 'sleep', 'tail'])
  })
})
