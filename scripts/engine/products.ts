import { release } from 'node:os'

// Programs that bring a Docker engine, told apart by what the engine says of itself, and how each is given more. Pure.

/** Who brought the engine. */
export type Product = 'Docker Engine' | 'Docker Desktop' | 'Colima' | 'Lima' | 'OrbStack' | 'Rancher Desktop' | 'Podman'

/** What `docker info` says, as far as it tells products apart. All of it may be missing: Podman's own command answers in another form. */
export interface Signs {
  OperatingSystem?: string
  Name?: string
  KernelVersion?: string
  DockerRootDir?: string
  ProductLicense?: string
  /** Only Podman's own command has it. */
  host?: object
}

/** What of an engine its product's ways depend on. */
export interface Engine {
  product: Product
  /** Address of its socket; names the machine of Colima and Lima. */
  endpoint: string
  /** Its kernel is that of Windows' WSL 2. */
  wsl: boolean
  /** It shares the kernel of this machine. */
  local: boolean
}

/** By name of the machine and of its system first: a socket can be anywhere. */
export function productOf(signs: Signs, endpoint: string): Product {
  const system = signs.OperatingSystem ?? ''
  const name = signs.Name ?? ''
  // Docker writes "Community Engine" there, or nothing
  if (signs.host || /\/containers\/storage$/.test(signs.DockerRootDir ?? '') || signs.ProductLicense === 'Apache-2.0')
    return 'Podman'
  if (/\/podman\/podman[^/]*\.sock$/.test(endpoint)) return 'Podman'
  if (/^Docker Desktop/.test(system) || name === 'docker-desktop') return 'Docker Desktop'
  if (/orbstack/i.test(`${system} ${name} ${endpoint}`)) return 'OrbStack'
  if (/^Rancher Desktop/.test(system) || name === 'lima-rancher-desktop' || /\/\.rd\/docker\.sock$/.test(endpoint))
    return 'Rancher Desktop'
  if (/^colima/.test(name) || /\/\.colima\//.test(endpoint) || /\/colima\/[^/]+\/docker\.sock$/.test(endpoint))
    return 'Colima'
  if (/^lima-/.test(name) || /\/\.lima\//.test(endpoint)) return 'Lima'
  if (/\/\.docker\/(run|desktop)\/docker[^/]*\.sock$/.test(endpoint)) return 'Docker Desktop'
  return 'Docker Engine'
}

/** What can be told of an engine that does not answer. */
export const engineAt = (endpoint: string): Engine => ({
  product: productOf({}, endpoint),
  endpoint,
  wsl: isWslKernel(release()),
  local: false,
})

/** The kernel of WSL 2, which all of its distributions and Docker Desktop share. */
export const isWslKernel = (release: string): boolean => /microsoft/i.test(release)

/** The name of Colima's profile or Lima's machine, from its socket; with what it is called by default. */
export function machineName({ product, endpoint }: Engine): string {
  if (product === 'Colima') return /colima\/([^/]+)\/docker\.sock$/.exec(endpoint)?.[1] ?? 'default'
  return /\.lima\/([^/]+)\//.exec(endpoint)?.[1] ?? 'docker'
}

const profile = (engine: Engine): string =>
  machineName(engine) === 'default' ? '' : ` --profile ${machineName(engine)}`

/** How to give the engine's machine more. */
export interface More {
  memory: string
  cpus: string
  disk: string
}

/** Commands, or a place in a window, that give an engine 8 GiB, 4 processors and more room. */
export function moreFor(engine: Engine): More {
  const { product, wsl } = engine
  const name = machineName(engine)
  if (wsl && (product === 'Docker Desktop' || product === 'Docker Engine' || product === 'Rancher Desktop')) {
    const set = (line: string): string =>
      `in Windows: put ${line} below [wsl2] in %UserProfile%\\.wslconfig, then wsl --shutdown`
    return {
      memory: set('memory=8GB'),
      cpus: set('processors=4'),
      disk: 'docker system prune; its disk grows by itself while Windows has room',
    }
  }
  switch (product) {
    case 'Docker Desktop':
      return {
        memory: 'Docker Desktop: Settings, Resources, Memory limit: 8 GB, then Apply & restart',
        cpus: 'Docker Desktop: Settings, Resources, CPU limit: 4, then Apply & restart',
        disk: 'docker system prune, or Docker Desktop: Settings, Resources, Disk usage limit',
      }
    case 'Colima': {
      const start = (option: string): string =>
        `colima stop${profile(engine)} && colima start${profile(engine)} ${option}`
      return { memory: start('--memory 8'), cpus: start('--cpu 4'), disk: start('--disk 100') }
    }
    case 'Lima': {
      const edit = (option: string): string =>
        `limactl stop ${name} && limactl edit ${option} ${name} && limactl start ${name}`
      return { memory: edit('--memory 8'), cpus: edit('--cpus 4'), disk: edit('--disk 100') }
    }
    case 'OrbStack':
      return {
        memory: 'orb config set memory_mib 8192 && orb stop && orb start',
        cpus: 'orb config set cpu 4 && orb stop && orb start',
        disk: 'docker system prune; its disk grows by itself while the Mac has room',
      }
    case 'Rancher Desktop':
      return {
        memory: 'rdctl set --virtual-machine.memory-in-gb 8',
        cpus: 'rdctl set --virtual-machine.number-cpus 4',
        disk: 'docker system prune, or free some space on this machine',
      }
    default:
      return {
        memory: 'close what needs much, or use a machine with more',
        cpus: 'use a machine, or a virtual one, with more',
        disk: 'docker system prune, or free some space',
      }
  }
}

/** Starts an engine that does not run. */
export function start(engine: Engine, platform: string = process.platform): string {
  switch (engine.product) {
    case 'Colima':
      return `colima start${profile(engine)}`
    case 'Lima':
      return `limactl start ${machineName(engine)}`
    case 'OrbStack':
      return 'orb start'
    case 'Rancher Desktop':
      return 'rdctl start'
    case 'Docker Desktop':
      return 'start Docker Desktop'
    default:
      if (engine.wsl) return 'sudo service docker start, or start Docker Desktop in Windows'
      return platform === 'linux' ? 'sudo systemctl start docker' : 'start Docker Desktop'
  }
}

/** Starts an engine anew that sleeps, hangs or has a wrong clock. */
export function restart(engine: Engine, platform: string = process.platform): string {
  switch (engine.product) {
    case 'Docker Desktop':
      return 'docker desktop restart, or in its menu: Restart'
    case 'Colima':
      return `colima restart${profile(engine)}`
    case 'Lima':
      return `limactl stop --force ${machineName(engine)} && limactl start ${machineName(engine)}`
    case 'OrbStack':
      return 'orb stop && orb start'
    case 'Rancher Desktop':
      return 'rdctl shutdown && rdctl start'
    default:
      if (engine.wsl) return 'sudo service docker restart, or restart Docker Desktop in Windows'
      return platform === 'linux' ? 'sudo systemctl restart docker' : 'restart Docker Desktop'
  }
}

/** Gives an engine the proxy that this shell has; it pulls images by itself. */
export function proxyFor(engine: Engine, proxy: string): string {
  switch (engine.product) {
    case 'Docker Desktop':
      return `Docker Desktop: Settings, Resources, Proxies: ${proxy}`
    case 'Colima':
      return `colima stop${profile(engine)} && colima start${profile(engine)} --env HTTP_PROXY=${proxy} --env HTTPS_PROXY=${proxy}`
    case 'OrbStack':
      return `orb config set network_proxy ${proxy}`
    case 'Lima':
      return `export HTTP_PROXY=${proxy} HTTPS_PROXY=${proxy} && limactl stop ${machineName(engine)} && limactl start ${machineName(engine)}`
    case 'Rancher Desktop':
      return 'Rancher Desktop: Preferences, WSL, Proxy (in Windows), or the proxy of macOS itself'
    default:
      return [
        'sudo mkdir -p /etc/systemd/system/docker.service.d',
        `printf '[Service]\\nEnvironment=HTTP_PROXY=%s HTTPS_PROXY=%s\\n' ${proxy} ${proxy} | sudo tee /etc/systemd/system/docker.service.d/proxy.conf`,
        'sudo systemctl daemon-reload',
        'sudo systemctl restart docker',
      ].join(' && ')
  }
}

/** By what name containers of the engine reach this machine. */
export function hostFromInside({ product, wsl, local }: Engine): string {
  if (product === 'Colima' || product === 'Lima') return 'host.lima.internal'
  if (product === 'Docker Engine' && (local || wsl)) return '172.17.0.1'
  return 'host.docker.internal'
}
