import type { Lock } from '../../stacks/lock.ts'
import { type Settings, setCommand } from '../../stacks/settings.ts'
import { desktop, type EngineFacts, remote } from './engine.ts'
import type { Facts } from './facts.ts'
import type { Supply } from './supplies.ts'

// Judgement, apart from looking: facts in, checks out.

/** One row of what `lab doctor` shows. */
export interface Check {
  /** Never changes, for scripts. */
  id: string
  title: string
  /** `fail` stops `lab up`; `warn` does not. */
  level: 'ok' | 'warn' | 'fail'
  found: string
  expected: string
  /** A command, or a sentence; empty when there is nothing to do. */
  next: string
}

const gibi = 1024 ** 3
/** Least memory for Docker, and what is comfortable, in bytes. A virtual machine of 4 GiB shows a little less of it. */
const memory = { least: 3.7 * gibi, good: 5.6 * gibi }
/** Free disk for Docker, in bytes: images and node take about 5 GB the first time. */
const disk = { least: 5e9, good: 12e9 }
/** Seconds that the engine's clock may be away: more, and new events lie outside of what Grafana shows. */
const clockSlack = 5

const ok = (id: string, title: string, found: string): Check => ({
  id,
  title,
  level: 'ok',
  found,
  expected: '',
  next: '',
})
type Says = Pick<Check, 'found' | 'expected' | 'next'>
const warn = (id: string, title: string, says: Says): Check => ({ id, title, level: 'warn', ...says })
const fail = (id: string, title: string, says: Says): Check => ({ id, title, level: 'fail', ...says })

/** Everything that can be said about whether a lab with these settings will stand up here, the gravest first within each part. */
export function judge(settings: Settings, lock: Lock, facts: Facts): Check[] {
  const supplies = [...pins(lock, facts), ...tools(facts), ...charts(facts)]
  if (settings.cluster.mode === 'existing')
    return [
      system(facts),
      ok('cluster', 'Cluster', `context ${settings.cluster.context}: Docker and this machine's kernel play no part`),
      ...supplies,
    ]
  const { engine } = facts
  if ('problem' in engine) {
    const { found, expected, next } = engine.problem
    return [
      system(facts),
      fail('docker', 'Docker', { found, expected, next }),
      kernel(settings, facts),
      ...ports(facts),
      ...supplies,
    ]
  }
  return [
    system(facts),
    ...dockers(engine),
    ...resources(engine, facts),
    kernel(settings, facts),
    ...neighbours(settings, facts),
    ...ports(facts),
    ...supplies,
    ...images(settings, lock, engine, facts),
  ]
}

function system({ os, wsl }: Facts): Check {
  if (os === 'win32')
    return fail('system', 'System', {
      found: 'Windows without WSL',
      expected: 'Linux, macOS, or Linux inside Windows (WSL 2)',
      next: 'wsl --install, then run the lab in there',
    })
  if (wsl) return ok('system', 'System', 'Linux inside Windows (WSL): events are those of its own virtual machine')
  return ok('system', 'System', { linux: 'Linux', darwin: 'macOS' }[os] ?? os)
}

function dockers(engine: EngineFacts): Check[] {
  const { version, platform, system, local, rootless, endpoint } = engine
  const title = 'Docker'
  const checks: Check[] = []
  if (older(version, [20, 10]))
    checks.push(
      fail('docker', title, {
        found: `Docker ${version}`,
        expected: '20.10 or newer',
        next: 'update it: https://docs.docker.com/engine/install',
      }),
    )
  else if (!/^linux\//.test(platform))
    checks.push(
      fail('docker', title, {
        found: `an engine for ${platform}`,
        expected: 'Linux containers',
        next: 'switch Docker Desktop to Linux containers',
      }),
    )
  else if (remote(engine))
    checks.push(
      fail('docker', title, {
        found: `the engine is on another machine (${endpoint})`,
        expected: 'one on this machine: the lab answers on 127.0.0.1 of where the engine runs',
        next: 'docker context use default; unset DOCKER_HOST',
      }),
    )
  else checks.push(ok('docker', title, `${version} on ${system}, ${platform}`))
  if (rootless)
    checks.push(
      warn('docker-rootless', 'Docker rootless', {
        found: 'the engine runs without root, so Tetragon may not load its programs: events are replayed',
        expected: 'an engine with root, for live events',
        next: 'docker context use default',
      }),
    )
  if (/^\/var\/snap\//.test(engine.dataRoot))
    checks.push(
      warn('docker-snap', 'Docker from snap', {
        found: 'Docker was installed by snap and does not see /tmp, which KinD uses',
        expected: "Docker's own packages",
        next: 'export TMPDIR=$HOME/tmp && mkdir -p $TMPDIR, or: https://docs.docker.com/engine/install',
      }),
    )
  if (desktop(engine))
    checks.push(
      ok('docker-desktop', 'Docker Desktop', `${system}: events are those of its virtual machine, not of your desktop`),
    )
  if (Math.abs(engine.clockAhead) > clockSlack)
    checks.push(
      warn('clock', 'Clock', {
        found: `the engine's clock is ${Math.abs(Math.round(engine.clockAhead))} s ${engine.clockAhead > 0 ? 'ahead' : 'behind'}`,
        expected: `clocks within ${clockSlack} s, so that events fall into the time that Grafana shows`,
        next: local ? 'sudo timedatectl set-ntp true' : 'restart Docker',
      }),
    )
  else checks.push(ok('clock', 'Clock', "the engine's clock is this machine's"))
  if (engine.cgroup === 1)
    checks.push(
      warn('cgroup', 'Control groups', {
        found: 'version 1, which Kubernetes is giving up',
        expected: 'version 2',
        next: 'boot with systemd.unified_cgroup_hierarchy=1, or use a newer distribution',
      }),
    )
  else checks.push(ok('cgroup', 'Control groups', 'version 2'))
  return checks
}

function resources(engine: EngineFacts, { availableBytes, diskBytes, inotify, running }: Facts): Check[] {
  const checks: Check[] = []
  const has = `${gigabytes(engine.memoryBytes)} for Docker`
  const more = engine.local
    ? 'close what needs much, or use a machine with more'
    : 'give Docker more in its settings (Resources)'
  if (engine.memoryBytes < memory.least)
    checks.push(fail('memory', 'Memory', { found: has, expected: 'at least 4 GiB', next: more }))
  else if (engine.memoryBytes < memory.good)
    checks.push(warn('memory', 'Memory', { found: has, expected: '6 GiB to be comfortable', next: more }))
  else if (!running && availableBytes !== undefined && availableBytes < memory.least - gibi)
    checks.push(
      warn('memory', 'Memory', {
        found: `${has}, of which ${gigabytes(availableBytes)} are free now`,
        expected: '3 GiB free',
        next: 'close what needs much memory',
      }),
    )
  else checks.push(ok('memory', 'Memory', has))

  checks.push(
    engine.cpus < 2
      ? fail('cpus', 'Processors', { found: `${engine.cpus} for Docker`, expected: 'at least 2', next: more })
      : ok('cpus', 'Processors', `${engine.cpus} for Docker`),
  )

  if (diskBytes === undefined)
    checks.push(ok('disk', 'Disk', 'not known: Docker keeps its data in a machine of its own'))
  else {
    const free = `${(diskBytes / 1e9).toFixed(0)} GB free in ${engine.dataRoot}`
    const next = 'docker system prune, or free some space'
    if (diskBytes < disk.least)
      checks.push((running ? warn : fail)('disk', 'Disk', { found: free, expected: 'at least 5 GB', next }))
    else if (diskBytes < disk.good && !running)
      checks.push(warn('disk', 'Disk', { found: free, expected: '12 GB to be comfortable', next }))
    else checks.push(ok('disk', 'Disk', free))
  }

  if (inotify) {
    const found = `${inotify.instances} instances, ${inotify.watches} watches`
    if (inotify.instances < 256 || inotify.watches < 65536)
      checks.push(
        warn('inotify', 'inotify', {
          found,
          expected: '512 and 524288, as KinD recommends: below, pods fail with "too many open files"',
          next: 'sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288',
        }),
      )
    else checks.push(ok('inotify', 'inotify', found))
  }
  return checks
}

function kernel({ tetragon }: Settings, { kernel: decision }: Facts): Check {
  const { source, why, features, asked } = decision
  if (source === 'replay' && tetragon.source === 'live')
    return fail('kernel', 'Kernel', {
      found: `${why}, but tetragon.source is live`,
      expected: 'a kernel with BTF and kprobes, or another source',
      next: setCommand('tetragon.source', 'auto'),
    })
  if (tetragon.source === 'replay') return ok('kernel', 'Kernel', `${why}; a recording is replayed, as set`)
  if (asked === 'nobody') return ok('kernel', 'Kernel', `${why}; \`lab up\` asks it`)
  if (source === 'replay')
    return warn('kernel', 'Kernel', {
      found: `${why}; a recording is replayed in its place`,
      expected: 'a kernel with BTF and kprobes, for live events and enforcement',
      next: 'nothing, or a machine whose kernel can: docs/troubleshooting.md',
    })
  if (!features.hostPids)
    return warn('kernel', 'Kernel', {
      found: why,
      expected: "the machine's own process numbers",
      next: 'nothing; start pods anew when their events have no name',
    })
  return ok('kernel', 'Kernel', why)
}

function neighbours(settings: Settings, { foreignNode, otherClusters, tetragons, running }: Facts): Check[] {
  const { name } = settings.cluster
  const checks: Check[] = []
  if (foreignNode)
    checks.push(
      fail('cluster', 'Cluster', {
        found: `a KinD cluster named ${name} that this lab did not make`,
        expected: 'a name that is free',
        next: `${setCommand('cluster.name', `${name}-2`)}, or: kind delete cluster --name ${name}`,
      }),
    )
  else checks.push(ok('cluster', 'Cluster', running ? `${name} runs` : `the name ${name} is free`))
  if (otherClusters.length > 0)
    checks.push(
      warn('neighbours', 'Other clusters', {
        found: `${otherClusters.join(', ')} run${otherClusters.length === 1 ? 's' : ''} on the same kernel`,
        expected: 'the lab alone: it shares memory with them, and Tetragon sees their processes too',
        next: `kind delete cluster --name ${otherClusters[0]}, when it is not needed`,
      }),
    )
  if (tetragons !== undefined && tetragons > (running ? 1 : 0))
    checks.push(
      warn('tetragon', 'Another Tetragon', {
        found: 'one runs on this kernel already',
        expected: 'one Tetragon a kernel: each enforces for the whole machine',
        next: 'stop the other: systemctl status tetragon, helm list -A',
      }),
    )
  return checks
}

function ports(facts: Facts): Check[] {
  const checks = facts.ports
    .filter(port => port.state === 'taken' || port.state === 'not allowed')
    .map(({ name, number, state, holder }) =>
      fail(`port-${name}`, `Port ${number}`, {
        found:
          state === 'taken'
            ? `127.0.0.1:${number} is taken${holder ? ` by ${holder}` : ''}`
            : `127.0.0.1:${number} may not be listened on by you`,
        expected: `a free port for ports.${name}`,
        next: setCommand(`ports.${name}`, freeNumber(number, facts)),
      }),
    )
  if (checks.length > 0) return checks
  const numbers = facts.ports.map(port => port.number).join(', ')
  const held = facts.ports.some(port => port.state === 'held by the lab')
  return [ok('ports', 'Ports', held ? `${numbers}, held by the lab` : `${numbers} are free`)]
}

/** A number to propose: outside of what needs rights, and none that the lab uses itself. */
const freeNumber = (number: number, { ports }: Facts): number => {
  const used = new Set(ports.map(port => port.number))
  let proposal = number < 1024 ? number + 8000 : number + 10000
  if (proposal > 65535) proposal = number - 10000
  while (used.has(proposal)) proposal++
  return proposal
}

function pins(lock: Lock, { strangers: [stranger] }: Facts): Check[] {
  if (!stranger) return [ok('lock', 'Pins', lock.file)]
  return [
    warn('lock', 'Pins', {
      found: `${lock.file} pins ${stranger.name} ${stranger.pinned}, and its npm package is ${stranger.npm}`,
      expected: 'the same version of both',
      next: `mend tools.${stranger.name} of ${lock.file}`,
    }),
  ]
}

const tools = ({ tools: supplies, hosts }: Facts): Check[] => [supply('tools', 'Programs', supplies, hosts)]

function charts({ charts: supplies, changedCharts, hosts }: Facts): Check[] {
  const [changed] = changedCharts
  if (changed)
    return [
      fail('charts', 'Charts', {
        found: `chart ${changed.name} has sha256 ${changed.found}`,
        expected: `${changed.known}, as in the lock or as it was seen before`,
        next: 'if the change is known and right, remove its line from .lab/remembered.json, or mend the lock',
      }),
    ]
  return [supply('charts', 'Charts', supplies, hosts)]
}

/** In place, or to be fetched from hosts that answer. */
function supply(id: string, title: string, supplies: readonly Supply[], hosts: ReadonlyMap<string, boolean>): Check {
  const missing = supplies.filter(({ here }) => !here)
  if (missing.length === 0) return ok(id, title, 'all in place')
  const from = [...new Set(missing.map(({ host }) => host))].join(', ')
  const away = missing.find(({ host }) => hosts.get(host) === false)
  if (away)
    return warn(id, title, {
      found: `${away.name} is not here, and ${away.host} does not answer`,
      expected: `a network that reaches ${away.host}`,
      next: 'check the network (HTTPS_PROXY is honoured), or name a mirror: --lock FILE',
    })
  const lost = missing.find(({ host }) => host === '')
  if (lost)
    return fail(id, title, {
      found: `${lost.name} is not here, and the lock says no address to fetch it from`,
      expected: 'it in its place, or an address of it',
      next: `install or copy ${lost.name}, or use another lock: --lock FILE`,
    })
  const names =
    missing.length > 3 ? `${missing.length} of ${supplies.length}` : missing.map(({ name }) => name).join(', ')
  return ok(id, title, `${names} to be fetched from ${from}`)
}

function images(settings: Settings, lock: Lock, { platform }: EngineFacts, facts: Facts): Check[] {
  const foreign = facts.images.find(image => !image.platforms.includes(platform))
  if (foreign)
    return [
      warn('images', 'Images', {
        found: `${foreign.name} is not published for ${platform}`,
        expected: 'images for this machine; emulation is slow, and Tetragon shows the emulator',
        next:
          settings.guestbook.images === 'upstream'
            ? setCommand('guestbook.images', 'lab')
            : `name another image in ${lock.file}`,
      }),
    ]
  return [supply('images', 'Images', facts.images, facts.hosts)]
}

const gigabytes = (bytes: number): string => `${(bytes / gibi).toFixed(1)} GiB`

const older = (version: string, [major, minor]: readonly [number, number]): boolean => {
  const [first = 0, second = 0] = version.split('.').map(Number)
  return first < major || (first === major && second < minor)
}
