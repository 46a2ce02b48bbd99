import type { EngineFacts } from '../engine/engine-facts.ts'
import { machineName } from '../engine/products.ts'
import type { Lack } from '../kernel/features.ts'

// What can be done about a kernel, by who brings it: a distribution, Windows, or the maker of a desktop. Pure.

/** Where a kernel runs. */
export type Place = Pick<EngineFacts, 'product' | 'endpoint' | 'wsl' | 'local' | 'system'>

/** An engine on macOS whose kernel is a whole Ubuntu's. */
const another = 'colima start --cpu 4 --memory 8 && docker context use colima'

/** Has the kernel start with one more option. */
export function kernelOption(option: string, place: Place): string {
  if (place.wsl)
    return `in Windows: put kernelCommandLine=${option} below [wsl2] in %UserProfile%\\.wslconfig, then wsl --shutdown`
  const script = `echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${option}"' | sudo tee -a /etc/default/grub && sudo update-grub`
  if (place.product === 'Colima') return `colima ssh, and in there: ${script}; then colima restart`
  if (place.product === 'Lima') {
    const name = machineName(place)
    return `limactl shell ${name}, and in there: ${script}; then limactl stop ${name} && limactl start ${name}`
  }
  if (place.product !== 'Docker Engine' && place.product !== 'Podman')
    return `an engine whose kernel takes ${option}: ${another}`
  if (/fedora|red hat|centos|rocky|alma/i.test(place.system))
    return `sudo grubby --update-kernel=ALL --args='${option}', then reboot`
  return `${script}, then reboot`
}

/** A kernel that has what Tetragon needs, from whoever made this one. */
function newerKernel({ product, wsl, local, system }: Place): string {
  if (wsl) return 'in Windows: wsl --update, then wsl --shutdown'
  if (!local && product !== 'Docker Engine') {
    const update = product === 'Colima' ? 'colima delete, then the newest Colima' : `update ${product}`
    return product === 'Colima' || product === 'Lima' ? update : `${update}; if it stays so: ${another}`
  }
  if (/ubuntu|mint|pop!/i.test(system)) return 'sudo apt install linux-image-generic, then reboot into it'
  if (/debian/i.test(system)) return `sudo apt install linux-image-${debianArch()}, then reboot into it`
  if (/fedora|red hat|centos|rocky|alma/i.test(system)) return 'sudo dnf install kernel, then reboot into it'
  if (/arch|manjaro/i.test(system)) return 'sudo pacman -S linux, then reboot into it'
  return "boot your distribution's own kernel (uname -r shows which one runs), or another machine: docs/troubleshooting.md"
}

const debianArch = (): string => (process.arch === 'arm64' ? 'arm64' : 'amd64')

/** The command that mends what keeps Tetragon from running. */
export function mendLack(lack: Lack | undefined, place: Place): string {
  if (lack === 'root')
    return place.product === 'Lima'
      ? 'limactl start template://docker-rootful, then the docker context commands that it prints'
      : 'docker context use default; unset DOCKER_HOST'
  if (lack === 'lockdown' && place.local)
    return "sudo sed -i 's/lockdown=confidentiality/lockdown=integrity/' /etc/default/grub && sudo update-grub, then reboot"
  return newerKernel(place)
}

/** The command that puts BPF among the security modules. */
export const mendLsm = (lsm: readonly string[], place: Place): string =>
  // `capability` is always on and first
  kernelOption(`lsm=${[...lsm.filter(name => name !== 'capability'), 'bpf'].join(',')}`, place)

/** The command that brings a feature that a kernel has or has not from its making. */
export const mendFeature = (place: Place): string => newerKernel(place)
