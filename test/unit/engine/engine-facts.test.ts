import { expect, test } from 'vitest'
import { isRemoteEngine, runsInLocalVm } from '../../../scripts/engine/engine-facts.ts'
import type { Product } from '../../../scripts/engine/products.ts'
import { engineNames, recordedEngine } from '../support/docker-info.ts'

interface Traits {
  local?: boolean
  wsl?: boolean
  vm?: boolean
  remote?: boolean
  rootless?: boolean
}

const engines: [name: string, product: Product, traits: Traits][] = [
  ['docker-engine-ubuntu', 'Docker Engine', { local: true }],
  ['docker-engine-rootless', 'Docker Engine', { local: true, rootless: true }],
  ['docker-engine-snap', 'Docker Engine', { local: true }],
  ['docker-engine-wsl2', 'Docker Engine', { local: true, wsl: true }],
  ['docker-engine-20.10-cgroup-v1', 'Docker Engine', { local: true }],
  ['docker-engine-remote', 'Docker Engine', { remote: true }],
  ['docker-desktop-mac', 'Docker Desktop', { vm: true }],
  ['docker-desktop-linux', 'Docker Desktop', { vm: true }],
  ['docker-desktop-wsl2', 'Docker Desktop', { vm: true, wsl: true }],
  ['docker-desktop-windows-containers', 'Docker Engine', {}],
  ['colima', 'Colima', { vm: true }],
  ['colima-profile', 'Colima', { vm: true }],
  ['lima-docker', 'Lima', { vm: true, rootless: true }],
  ['orbstack', 'OrbStack', { vm: true }],
  ['rancher-desktop-mac', 'Rancher Desktop', { vm: true }],
  ['rancher-desktop-wsl2', 'Rancher Desktop', { vm: true, wsl: true }],
  ['podman-rootless-socket', 'Podman', { local: true, rootless: true }],
  ['podman-machine-mac', 'Podman', {}],
  ['podman-as-docker-command', 'Podman', { local: true, rootless: true }],
]

test.each(engines)('recognizes %s as %s', (name, product, traits) => {
  const engine = recordedEngine(name)
  expect({
    product: engine.product,
    local: engine.local,
    wsl: engine.wsl,
    vm: runsInLocalVm(engine),
    remote: isRemoteEngine(engine),
    rootless: engine.rootless,
  }).toEqual({ product, local: false, wsl: false, vm: false, remote: false, rootless: false, ...traits })
  expect(engine.version).toMatch(/^\d+\.\d+\.\d+$/)
  expect(engine.cpus).toBeGreaterThan(0)
  expect(engine.memoryBytes).toBeGreaterThan(1e9)
  expect(engine.platform).toMatch(/^(linux|windows)\/(amd64|arm64)$/)
})

test('the table above covers every recorded engine', () =>
  expect(engines.map(([name]) => name).sort()).toEqual([...engineNames].sort()))

test('tells an engine in the same container from one outside of it, whose kernel it shares', () => {
  const container = 'a dev container'
  // The recorded engine has the host name `laptop`.
  const inside = recordedEngine('docker-engine-ubuntu', { container, hostname: 'laptop' })
  expect(inside).toMatchObject({ outsideContainer: false, local: true })
  const outside = recordedEngine('docker-engine-ubuntu', { container, hostname: '3f2a9c1e77ab' })
  expect(outside).toMatchObject({ outsideContainer: true, local: false })
  expect(recordedEngine('docker-engine-ubuntu')).toMatchObject({ outsideContainer: false, local: true })
})
