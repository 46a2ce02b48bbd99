import { describe, expect, test } from 'vitest'
import { fixFor, hostNameForContainers } from '../../../scripts/engine/products.ts'
import { recordedEngine } from '../support/docker-info.ts'

const wslMemory = 'on Windows: add memory=8GB under [wsl2] in %UserProfile%\\.wslconfig, then run wsl --shutdown'

describe('raises memory with the command of the product', () => {
  test.each([
    ['colima', 'colima stop && colima start --memory 8'],
    ['colima-profile', 'colima stop --profile school && colima start --profile school --memory 8'],
    ['lima-docker', 'limactl stop docker && limactl edit --memory 8 docker && limactl start docker'],
    ['docker-desktop-linux', 'Docker Desktop: Settings, Resources, Memory limit: 8 GB, then Apply & restart'],
    ['docker-desktop-wsl2', wslMemory],
    ['docker-engine-wsl2', wslMemory],
    ['rancher-desktop-wsl2', wslMemory],
    ['orbstack', 'orb config set memory_mib 8192 && orb stop && orb start'],
    ['rancher-desktop-mac', 'rdctl set --virtual-machine.memory-in-gb 8'],
    ['docker-engine-ubuntu', 'close programs that use much memory, or use a machine with more'],
  ])('%s', (name, command) => expect(fixFor(recordedEngine(name), 'memory')).toBe(command))
})

describe('sets a proxy with the command of the product', () => {
  test.each([
    ['docker-engine-ubuntu', /^sudo mkdir -p .* http:\/\/proxy:3128 \| sudo tee .* && sudo systemctl restart docker$/],
    ['docker-desktop-mac', /^Docker Desktop: Settings, Resources, Proxies: http:\/\/proxy:3128$/],
    ['colima', /^colima stop && colima start --env HTTP_PROXY=http:\/\/proxy:3128 --env/],
    ['orbstack', /^orb config set network_proxy http:\/\/proxy:3128$/],
  ])('%s', (name, command) =>
    expect(fixFor(recordedEngine(name), 'proxy', { proxy: 'http://proxy:3128' })).toMatch(command),
  )
})

test('starts and restarts the docker service under WSL', () => {
  const engine = recordedEngine('docker-engine-wsl2')
  expect(fixFor(engine, 'start', { platform: 'linux' })).toMatch(/^sudo service docker start/)
  expect(fixFor(engine, 'restart', { platform: 'linux' })).toMatch(/^sudo service docker restart/)
})

test.each([
  ['docker-engine-ubuntu', '172.17.0.1'],
  ['docker-engine-remote', 'host.docker.internal'],
  ['docker-desktop-mac', 'host.docker.internal'],
  ['colima', 'host.lima.internal'],
])('containers of %s reach this machine as %s', (name, host) =>
  expect(hostNameForContainers(recordedEngine(name))).toBe(host),
)

test.each(['Docker Engine', 'Docker Desktop', 'Colima', 'Lima', 'OrbStack', 'Rancher Desktop', 'Podman'] as const)(
  'leaves no placeholder in any instruction for %s',
  product => {
    const fields = ['start', 'restart', 'memory', 'cpus', 'disk', 'proxy', 'rootful', 'kernelOption'] as const
    for (const wsl of [true, false])
      for (const field of fields) {
        const engine = { product, endpoint: '', wsl, local: false }
        expect(fixFor(engine, field, { proxy: 'http://p', option: 'a=b' })).not.toMatch(/\{\w+\}/)
      }
  },
)
