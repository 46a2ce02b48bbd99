import { type EngineFacts, isRemoteEngine, runsInLocalVm } from '../../engine/engine-facts.ts'
import { fixFor } from '../../engine/products.ts'
import { type DoctorCheck, fail, ok, warn } from '../doctor-check.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'
import { kernelOptionFix } from '../kernel-fixes.ts'

/** In seconds. With a larger difference, Grafana does not show new events. */
const maxEngineClockDifference = 5
/** In seconds. Larger, because a host reports whole seconds and its response takes time. */
const maxHostClockDifference = 60

/** Checks the engine itself: version, location, permissions, clock and cgroup version. */
export function dockerChecks(engine: EngineFacts, facts: DoctorFacts): DoctorCheck[] {
  const { product, system, rootless } = engine
  const checks = [engineCheck(engine, facts)]
  if (rootless)
    checks.push(
      warn('docker-rootless', 'Docker rootless', {
        found: 'Docker runs rootless, so Tetragon cannot load BPF programs and the lab replays a recording',
        expected: 'an engine with root, for live events',
        next: fixFor(engine, 'rootful'),
      }),
    )
  if (/^\/var\/snap\//.test(engine.dataRoot))
    checks.push(
      warn('docker-snap', 'Docker from snap', {
        found: 'Docker was installed by snap and cannot see /tmp, which kind uses',
        expected: "Docker's own packages, or another temporary folder",
        next: 'mkdir -p $HOME/tmp && export TMPDIR=$HOME/tmp',
      }),
    )
  if (runsInLocalVm(engine))
    checks.push(
      ok(
        'docker-machine',
        product,
        `${system || product}: Tetragon sees the processes of its virtual machine, not of your desktop`,
      ),
    )
  if (facts.kindProvider && facts.kindProvider !== 'docker')
    checks.push(
      ok('kind-provider', 'kind', `The lab uses Docker and ignores KIND_EXPERIMENTAL_PROVIDER=${facts.kindProvider}`),
    )
  return [...checks, engineClockCheck(engine, facts), cgroupCheck(engine)]
}

function engineCheck(engine: EngineFacts, { container }: DoctorFacts): DoctorCheck {
  const { version, platform, product, system, endpoint } = engine
  const failure = (found: string, expected: string, next: string) => fail('docker', 'Docker', { found, expected, next })
  if (isOlder(version, [20, 10]))
    return failure(
      `Docker ${version} is too old`,
      '20.10 or newer',
      product === 'Docker Engine' ? 'update it: https://docs.docker.com/engine/install' : `update ${product}`,
    )
  if (!platform.startsWith('linux/'))
    return failure(
      `The Docker engine runs ${platform} containers`,
      'Linux containers',
      'switch Docker Desktop to Linux containers',
    )
  if (engine.outsideContainer)
    return failure(
      `The lab runs in ${container ?? 'a container'}, but the Docker engine runs outside of it`,
      'an engine in the same container, because the lab publishes its ports on the 127.0.0.1 of the engine',
      'open this checkout in its own dev container (.devcontainer), or run ./lab on the machine itself',
    )
  if (isRemoteEngine(engine))
    return failure(
      `The Docker engine is on another machine (${endpoint})`,
      'an engine on this machine, because the lab publishes its ports on the 127.0.0.1 of the engine',
      'docker context use default; unset DOCKER_HOST',
    )
  return ok('docker', 'Docker', `${version} on ${system || product}, ${platform}`)
}

function engineClockCheck(engine: EngineFacts, { os }: DoctorFacts): DoctorCheck {
  const { clockAhead, local } = engine
  if (Math.abs(clockAhead) <= maxEngineClockDifference)
    return ok('clock', 'Docker clock', "in sync with this machine's clock")
  return warn('clock', 'Docker clock', {
    found: `The clock of the Docker engine is ${difference(clockAhead)} this machine's clock`,
    expected: `a difference of at most ${maxEngineClockDifference} s, so that Grafana shows new events`,
    next: local ? 'sudo timedatectl set-ntp true' : fixFor(engine, 'restart', { platform: os }),
  })
}

function cgroupCheck(engine: EngineFacts): DoctorCheck {
  if (engine.cgroup === 2) return ok('cgroup', 'Control groups', 'version 2')
  return warn('cgroup', 'Control groups', {
    found: 'The engine uses cgroup version 1, which Kubernetes is phasing out',
    expected: 'version 2',
    next: kernelOptionFix(engine.wsl ? 'cgroup_no_v1=all' : 'systemd.unified_cgroup_hierarchy=1', engine),
  })
}

/** Checks this machine's clock against those of the hosts that responded. */
export function clockChecks({ hosts, os, wsl }: Pick<DoctorFacts, 'hosts' | 'os' | 'wsl'>): DoctorCheck[] {
  for (const [host, { clockAhead = 0 }] of hosts)
    if (Math.abs(clockAhead) > maxHostClockDifference)
      return [
        warn('clock-world', 'System clock', {
          found: `The clock of this machine is ${difference(clockAhead)} the clock of ${host}`,
          expected: 'the correct time, without which TLS certificates are rejected',
          next:
            os === 'darwin'
              ? 'sudo sntp -sS time.apple.com'
              : wsl
                ? 'sudo hwclock -s'
                : 'sudo timedatectl set-ntp true',
        }),
      ]
  return []
}

/** Reports Podman in place of Docker, which the lab does not support. */
export function podmanCheck({ version, endpoint }: EngineFacts, { os }: DoctorFacts): DoctorCheck {
  return fail('docker', 'Docker', {
    found: `Podman ${version} responds in place of Docker`,
    expected: 'Docker, because the lab reads the output of its own commands',
    next:
      os === 'darwin'
        ? 'brew install colima docker && colima start --cpu 4 --memory 8 && docker context use colima'
        : endpoint.includes('podman')
          ? 'docker context use default; unset DOCKER_HOST (to install Docker: https://docs.docker.com/engine/install)'
          : 'install Docker Engine, which replaces podman-docker: https://docs.docker.com/engine/install',
  })
}

const difference = (seconds: number): string =>
  `${Math.abs(Math.round(seconds))} s ${seconds > 0 ? 'ahead of' : 'behind'}`

const isOlder = (version: string, [major, minor]: readonly [number, number]): boolean => {
  const [first = 0, second = 0] = version.split('.').map(Number)
  return first < major || (first === major && second < minor)
}
