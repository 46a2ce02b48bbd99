import { release } from 'node:os'

// Identifies the product that provides the Docker engine, and holds one table of commands per product.

/** The product that provides the engine. */
export type Product = 'Docker Engine' | 'Docker Desktop' | 'Colima' | 'Lima' | 'OrbStack' | 'Rancher Desktop' | 'Podman'

/** The fields of `docker info` that identify a product. Podman's own command prints none of them except `host`. */
export interface ProductInfo {
  OperatingSystem?: string
  Name?: string
  KernelVersion?: string
  DockerRootDir?: string
  ProductLicense?: string
  /** Set only by Podman's own command. */
  host?: object
}

/** The properties of an engine that decide which commands apply to it. */
export interface Engine {
  product: Product
  /** Address of its socket, which also names the VM of Colima and Lima. */
  endpoint: string
  /** Its kernel is the WSL 2 kernel of Windows. */
  wsl: boolean
  /** It shares the kernel of this machine. */
  local: boolean
}

/**
 * Returns the product. The names of the VM and its system come before the socket path, because a socket can be
 * anywhere.
 */
export function productOf(info: ProductInfo, endpoint: string): Product {
  const system = info.OperatingSystem ?? ''
  const name = info.Name ?? ''
  // Docker reports "Community Engine" as its license, or nothing
  if (info.host || /\/containers\/storage$/.test(info.DockerRootDir ?? '') || info.ProductLicense === 'Apache-2.0')
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

/** Returns what the socket's path and this machine's kernel reveal about an engine that does not respond. */
export const engineFromEndpoint = (endpoint: string): Engine => ({
  product: productOf({}, endpoint),
  endpoint,
  wsl: isWslKernel(release()),
  local: false,
})

/** Returns whether this is the WSL 2 kernel, which all WSL distributions and Docker Desktop share. */
export const isWslKernel = (release: string): boolean => /microsoft/i.test(release)

/** Commands, or places in a settings window. Texts in braces are filled in by `fixFor`. */
interface ProductFixes {
  /** Starts an engine that is not running. */
  start: string
  /** Restarts an engine that sleeps, hangs or has a wrong clock. */
  restart: string
  /** Raise memory to 8 GiB, processors to 4, and the disk. */
  memory: string
  cpus: string
  disk: string
  /** Makes the engine pull images through `{proxy}`. */
  proxy: string
  /** Gives the engine root. */
  rootful: string
  /** Boots the engine's kernel with `{option}`. Empty where the distribution decides. */
  kernelOption: string
  /** Brings a newer kernel. Empty where the distribution decides. */
  newerKernel: string
  /** The name by which its containers reach this machine. */
  hostName: string
}

/** A VM on macOS whose kernel is a full Ubuntu kernel. */
const otherVm = 'colima start --cpu 4 --memory 8 && docker context use colima'
const defaultContext = 'docker context use default; unset DOCKER_HOST'
/** Adds `{option}` to the kernel's command line on a Linux with GRUB. */
export const addGrubOption = `echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {option}"' | sudo tee -a /etc/default/grub && sudo update-grub`

const dockerEngine: ProductFixes = {
  start: 'sudo systemctl start docker',
  restart: 'sudo systemctl restart docker',
  memory: 'close programs that use much memory, or use a machine with more',
  cpus: 'use a machine or VM with more processors',
  disk: 'docker system prune, or free some space',
  proxy: [
    'sudo mkdir -p /etc/systemd/system/docker.service.d',
    `printf '[Service]\\nEnvironment=HTTP_PROXY=%s HTTPS_PROXY=%s\\n' {proxy} {proxy} | sudo tee /etc/systemd/system/docker.service.d/proxy.conf`,
    'sudo systemctl daemon-reload',
    'sudo systemctl restart docker',
  ].join(' && '),
  rootful: defaultContext,
  kernelOption: '',
  newerKernel: '',
  hostName: '172.17.0.1',
}

const products: Record<Product, ProductFixes> = {
  'Docker Engine': dockerEngine,
  Podman: {
    ...dockerEngine,
    newerKernel: `update Podman; if the kernel stays the same: ${otherVm}`,
    hostName: 'host.docker.internal',
  },
  'Docker Desktop': {
    start: 'start Docker Desktop',
    restart: 'docker desktop restart, or in its menu: Restart',
    memory: 'Docker Desktop: Settings, Resources, Memory limit: 8 GB, then Apply & restart',
    cpus: 'Docker Desktop: Settings, Resources, CPU limit: 4, then Apply & restart',
    disk: 'docker system prune, or Docker Desktop: Settings, Resources, Disk usage limit',
    proxy: 'Docker Desktop: Settings, Resources, Proxies: {proxy}',
    rootful: defaultContext,
    kernelOption: `use an engine whose kernel accepts {option}: ${otherVm}`,
    newerKernel: `update Docker Desktop; if the kernel stays the same: ${otherVm}`,
    hostName: 'host.docker.internal',
  },
  Colima: {
    start: 'colima start{profile}',
    restart: 'colima restart{profile}',
    memory: 'colima stop{profile} && colima start{profile} --memory 8',
    cpus: 'colima stop{profile} && colima start{profile} --cpu 4',
    disk: 'colima stop{profile} && colima start{profile} --disk 100',
    proxy: 'colima stop{profile} && colima start{profile} --env HTTP_PROXY={proxy} --env HTTPS_PROXY={proxy}',
    rootful: defaultContext,
    kernelOption: `colima ssh{profile}, then inside: ${addGrubOption}; then colima restart{profile}`,
    newerKernel: 'colima delete{profile}, then install the newest Colima',
    hostName: 'host.lima.internal',
  },
  Lima: {
    start: 'limactl start {vm}',
    restart: 'limactl stop --force {vm} && limactl start {vm}',
    memory: 'limactl stop {vm} && limactl edit --memory 8 {vm} && limactl start {vm}',
    cpus: 'limactl stop {vm} && limactl edit --cpus 4 {vm} && limactl start {vm}',
    disk: 'limactl stop {vm} && limactl edit --disk 100 {vm} && limactl start {vm}',
    proxy: 'export HTTP_PROXY={proxy} HTTPS_PROXY={proxy} && limactl stop {vm} && limactl start {vm}',
    rootful: 'limactl start template://docker-rootful, then the docker context commands that it prints',
    kernelOption: `limactl shell {vm}, then inside: ${addGrubOption}; then limactl stop {vm} && limactl start {vm}`,
    newerKernel: 'update Lima',
    hostName: 'host.lima.internal',
  },
  OrbStack: {
    start: 'orb start',
    restart: 'orb stop && orb start',
    memory: 'orb config set memory_mib 8192 && orb stop && orb start',
    cpus: 'orb config set cpu 4 && orb stop && orb start',
    disk: 'docker system prune; its disk grows automatically while the Mac has free space',
    proxy: 'orb config set network_proxy {proxy}',
    rootful: defaultContext,
    kernelOption: `use an engine whose kernel accepts {option}: ${otherVm}`,
    newerKernel: `update OrbStack; if the kernel stays the same: ${otherVm}`,
    hostName: 'host.docker.internal',
  },
  'Rancher Desktop': {
    start: 'rdctl start',
    restart: 'rdctl shutdown && rdctl start',
    memory: 'rdctl set --virtual-machine.memory-in-gb 8',
    cpus: 'rdctl set --virtual-machine.number-cpus 4',
    disk: 'docker system prune, or free some space on this machine',
    proxy: 'Rancher Desktop: Preferences, WSL, Proxy (on Windows), or the proxy settings of macOS',
    rootful: defaultContext,
    kernelOption: `use an engine whose kernel accepts {option}: ${otherVm}`,
    newerKernel: `update Rancher Desktop; if the kernel stays the same: ${otherVm}`,
    hostName: 'host.docker.internal',
  },
}

/** Adds a line to the configuration of the WSL 2 VM. */
const wslConfig = (line: string): string =>
  `on Windows: add ${line} under [wsl2] in %UserProfile%\\.wslconfig, then run wsl --shutdown`

/** Replacements for every product under WSL 2, whose VM and kernel Windows provides. */
const wslVm: Partial<ProductFixes> = {
  memory: wslConfig('memory=8GB'),
  cpus: wslConfig('processors=4'),
  disk: 'docker system prune; the WSL disk grows automatically while Windows has free space',
  kernelOption: wslConfig('kernelCommandLine={option}'),
  newerKernel: 'on Windows: wsl --update, then wsl --shutdown',
}
/** Under WSL 2 the default socket may be either Docker Engine's or Docker Desktop's. */
const engineUnderWsl: Partial<ProductFixes> = {
  start: 'sudo service docker start, or start Docker Desktop on Windows',
  restart: 'sudo service docker restart, or restart Docker Desktop on Windows',
}
/** On macOS the default socket is Docker Desktop's. */
const engineOnMac: Partial<ProductFixes> = { start: 'start Docker Desktop', restart: 'restart Docker Desktop' }

/** Returns the instruction for this engine, or an empty string where its distribution decides. */
export function fixFor(
  engine: Engine,
  field: keyof ProductFixes,
  { proxy = '', option = '', platform = process.platform }: { proxy?: string; option?: string; platform?: string } = {},
): string {
  const { product, wsl } = engine
  const isDefaultSocket = product === 'Docker Engine' || product === 'Podman'
  const fixes: ProductFixes = {
    ...products[product],
    ...(wsl ? wslVm : {}),
    ...(wsl && isDefaultSocket ? engineUnderWsl : {}),
    ...(!wsl && isDefaultSocket && platform !== 'linux' ? engineOnMac : {}),
  }
  const vm = vmName(engine)
  const values = { vm, profile: vm === 'default' ? '' : ` --profile ${vm}`, proxy, option }
  return fixes[field].replace(/\{(vm|profile|proxy|option)\}/g, (_, name: keyof typeof values) => values[name])
}

/** Returns the Colima profile or Lima VM that the socket belongs to, else the name that it has by default. */
function vmName({ product, endpoint }: Engine): string {
  if (product === 'Colima') return /colima\/([^/]+)\/docker\.sock$/.exec(endpoint)?.[1] ?? 'default'
  return /\.lima\/([^/]+)\//.exec(endpoint)?.[1] ?? 'docker'
}

/** Returns the name by which the engine's containers reach this machine. */
export const hostNameForContainers = (engine: Engine): string =>
  engine.product === 'Docker Engine' && !engine.local && !engine.wsl
    ? 'host.docker.internal'
    : fixFor(engine, 'hostName')
