import type { EngineFacts } from '../engine/engine-facts.ts'
import { addGrubOption, fixFor } from '../engine/products.ts'
import { type Blocker, firstTetragonForLongBtfHeader } from '../kernel/verdict.ts'

// How to fix a kernel, depending on who provides it: the engine's product (engine/products.ts), else the Linux
// distribution.

/** The engine or machine whose kernel is meant. */
export type KernelHost = Pick<EngineFacts, 'product' | 'endpoint' | 'wsl' | 'local' | 'system'>

interface DistributionFixes {
  name: RegExp
  /** Boots the kernel with `{option}`. */
  kernelOption: string
  newerKernel: string
}

const grubOption = `${addGrubOption}, then reboot`

const distributions: DistributionFixes[] = [
  {
    name: /ubuntu|mint|pop!/i,
    kernelOption: grubOption,
    newerKernel: 'sudo apt install linux-image-generic, then reboot into it',
  },
  {
    name: /debian/i,
    kernelOption: grubOption,
    newerKernel: `sudo apt install linux-image-${process.arch === 'arm64' ? 'arm64' : 'amd64'}, then reboot into it`,
  },
  {
    name: /fedora|red hat|centos|rocky|alma/i,
    kernelOption: "sudo grubby --update-kernel=ALL --args='{option}', then reboot",
    newerKernel: 'sudo dnf install kernel, then reboot into it',
  },
  {
    name: /arch|manjaro/i,
    kernelOption: grubOption,
    newerKernel: 'sudo pacman -S linux, then reboot into it',
  },
  {
    name: /^/,
    kernelOption: grubOption,
    newerKernel:
      "boot your distribution's own kernel (uname -r shows the running one), or use another machine: docs/troubleshooting.md",
  },
]

const distributionOf = ({ system }: KernelHost): DistributionFixes =>
  distributions.find(({ name }) => name.test(system))!

/** Returns the command that boots the kernel with one more option. */
export const kernelOptionFix = (option: string, host: KernelHost): string =>
  fixFor(host, 'kernelOption', { option }) || distributionOf(host).kernelOption.replace('{option}', () => option)

/** Returns the command that brings a kernel with everything Tetragon needs. */
export const newerKernelFix = (host: KernelHost): string =>
  // A local engine runs on the distribution's kernel, whatever its product
  (host.local && !host.wsl ? '' : fixFor(host, 'newerKernel')) || distributionOf(host).newerKernel

/** Returns the command that fixes what prevents Tetragon from running. */
export function kernelFix(blocker: Blocker | undefined, host: KernelHost): string {
  if (blocker === 'rootless') return fixFor(host, 'rootful')
  if (blocker === 'container') return 'run ./lab on the machine itself, outside of the container'
  if (blocker === 'btfHeader')
    return `boot Linux 7.0 or older, or pin Tetragon ${firstTetragonForLongBtfHeader} or newer: ./lab up --lock FILE`
  if (blocker === 'lockdown' && host.local)
    return "sudo sed -i 's/lockdown=confidentiality/lockdown=integrity/' /etc/default/grub && sudo update-grub, then reboot"
  return newerKernelFix(host)
}

/**
 * Returns the command that adds BPF to the kernel's security modules. `capability` is always on and must not be listed.
 */
export const lsmFix = (lsm: readonly string[], host: KernelHost): string =>
  kernelOptionFix(`lsm=${[...lsm.filter(name => name !== 'capability'), 'bpf'].join(',')}`, host)
