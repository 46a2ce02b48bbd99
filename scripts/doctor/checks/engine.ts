import { type EngineFacts, isRemoteEngine, runsInLocalVm } from '../../engine/engine-facts.ts'
import { fixFor } from '../../engine/products.ts'
import { type DoctorCheck, fail, ok, warn } from '../doctor-check.ts'
import type { Facts } from '../facts/facts.ts'
import { kernelOptionFix } from '../kernel-fixes.ts'

/** Seconds that the engine's clock may be away: more, and new events lie outside of what Grafana shows. */
const clockSlack = 5
/** Seconds that this machine's clock may be away from the world's, by whole seconds of an answer that was under way for one. */
const worldSlack = 60

/** The engine: its version, its rights, its place, its clock. */
export function docker(engine: EngineFacts, facts: Facts): DoctorCheck[] {
  const { version, platform, product, system, rootless, endpoint, cgroup, clockAhead } = engine
  const title = 'Docker'
  const checks: DoctorCheck[] = []
  if (older(version, [20, 10]))
    checks.push(
      fail('docker', title, {
        found: `Docker ${version}`,
        expected: '20.10 or newer',
        next: product === 'Docker Engine' ? 'update it: https://docs.docker.com/engine/install' : `update ${product}`,
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
  else if (isRemoteEngine(engine))
    checks.push(
      fail('docker', title, {
        found: `the engine is on another machine (${endpoint})`,
        expected: 'one on this machine: the lab answers on 127.0.0.1 of where the engine runs',
        next: 'docker context use default; unset DOCKER_HOST',
      }),
    )
  else checks.push(ok('docker', title, `${version} on ${system || product}, ${platform}`))
  if (rootless)
    checks.push(
      warn('docker-rootless', 'Docker rootless', {
        found: 'the engine runs without root, so Tetragon may not load its programs: events are replayed',
        expected: 'an engine with root, for live events',
        next: fixFor(engine, 'rootful'),
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
  if (runsInLocalVm(engine))
    checks.push(
      ok(
        'docker-machine',
        product,
        `${system || product}: events are those of its virtual machine, not of your desktop`,
      ),
    )
  if (facts.kindProvider && facts.kindProvider !== 'docker')
    checks.push(
      ok(
        'kind-provider',
        'kind',
        `KIND_EXPERIMENTAL_PROVIDER=${facts.kindProvider} is for your own clusters: the lab's kind uses Docker`,
      ),
    )
  if (Math.abs(clockAhead) > clockSlack)
    checks.push(
      warn('clock', 'Clock', {
        found: `the engine's clock is ${Math.abs(Math.round(clockAhead))} s ${clockAhead > 0 ? 'ahead' : 'behind'}`,
        expected: `clocks within ${clockSlack} s, so that events fall into the time that Grafana shows`,
        next: engine.local ? 'sudo timedatectl set-ntp true' : fixFor(engine, 'restart', { platform: facts.os }),
      }),
    )
  else checks.push(ok('clock', 'Clock', "the engine's clock is this machine's"))
  if (cgroup === 1)
    checks.push(
      warn('cgroup', 'Control groups', {
        found: 'version 1, which Kubernetes is giving up',
        expected: 'version 2',
        next: kernelOptionFix(engine.wsl ? 'cgroup_no_v1=all' : 'systemd.unified_cgroup_hierarchy=1', engine),
      }),
    )
  else checks.push(ok('cgroup', 'Control groups', 'version 2'))
  return checks
}

/** Podman in Docker's place: why that is none for the lab. */
export function podman(
  { version, endpoint }: EngineFacts,
  { os }: Facts,
): Pick<DoctorCheck, 'found' | 'expected' | 'next'> {
  return {
    found: `Podman ${version} answers in Docker's place`,
    expected:
      'Docker: the lab speaks to it all the way from pulling images to the node, and Podman answers some of that otherwise',
    next:
      os === 'darwin'
        ? 'brew install colima docker && colima start --cpu 4 --memory 8 && docker context use colima'
        : /podman/.test(endpoint)
          ? 'docker context use default; unset DOCKER_HOST. Where Docker is not installed: https://docs.docker.com/engine/install'
          : 'install Docker Engine, which replaces podman-docker: https://docs.docker.com/engine/install',
  }
}

/** This machine's clock against that of the hosts that were asked: far away from it no certificate is valid. */
export function worldClock({ hosts, os, wsl }: Pick<Facts, 'hosts' | 'os' | 'wsl'>): DoctorCheck[] {
  const [far] = [...hosts].filter(([, { clockAhead = 0 }]) => Math.abs(clockAhead) > worldSlack)
  if (!far) return []
  const [host, { clockAhead = 0 }] = far
  return [
    warn('clock-world', "This machine's clock", {
      found: `it is ${Math.abs(Math.round(clockAhead))} s ${clockAhead > 0 ? 'ahead of' : 'behind'} ${host}'s`,
      expected: 'the time of the world, without which certificates are refused',
      next:
        os === 'darwin' ? 'sudo sntp -sS time.apple.com' : wsl ? 'sudo hwclock -s' : 'sudo timedatectl set-ntp true',
    }),
  ]
}

const older = (version: string, [major, minor]: readonly [number, number]): boolean => {
  const [first = 0, second = 0] = version.split('.').map(Number)
  return first < major || (first === major && second < minor)
}
