import { atLeast, type Features, noFeatures, supportedFeatures } from './features.ts'
import type { KernelFacts } from './kernel-facts.ts'

/** Names the reason that Tetragon cannot run on a kernel, or not correctly. */
export type Blocker =
  | 'rootless'
  | 'btf'
  | 'btfHeader'
  | 'kprobes'
  | 'tracefs'
  | 'bpf'
  | 'security'
  | 'exit'
  | 'lockdown'
  | 'container'

/** Where events come from on a kernel, and why. */
export interface Verdict {
  source: 'live' | 'replay'
  /** Absent where Tetragon can run correctly. */
  blocker?: Blocker
  /** One sentence for a person, naming the kernel. */
  why: string
  features: Features
}

/**
 * The first release of Tetragon that reads the longer BTF header of Linux 7.1: with cilium/ebpf 0.22
 * (cilium/ebpf#2041). Older releases exit at the start with "header contains non-zero trailer" (cilium/tetragon#5697).
 */
export const firstTetragonForLongBtfHeader = '1.8.0'

/** The longest BTF header, in bytes, that older releases read. */
const shortBtfHeader = 24

const blockerReasons: Record<Exclude<Blocker, 'container'>, string> = {
  rootless: 'Docker runs rootless, so its containers cannot load BPF programs',
  btf: 'it has no BPF type information (CONFIG_DEBUG_INFO_BTF)',
  btfHeader: `its BPF type information has the format of Linux 7.1, which only Tetragon ${firstTetragonForLongBtfHeader} and newer can read`,
  kprobes: 'it cannot attach kprobes (CONFIG_KPROBE_EVENTS)',
  tracefs: 'it has no tracing file system (CONFIG_FTRACE)',
  bpf: 'BPF is disabled in it (CONFIG_BPF_EVENTS)',
  security: 'it has no security hooks (CONFIG_SECURITY)',
  exit: 'it has no function that runs when a process exits (CONFIG_BSD_PROCESS_ACCT or CONFIG_TTY)',
  lockdown: 'its lockdown mode is confidentiality',
}

/**
 * Judges whether Tetragon can run on a kernel. Only a requirement that is known to be missing speaks against it.
 * @param tetragon the tag of the agent's image, as in v1.7.0.
 */
export function kernelVerdict(facts: KernelFacts, tetragon: string): Verdict {
  const features = supportedFeatures(facts)
  const blocker = findBlocker(facts, tetragon)
  if (blocker) {
    const { btf, hostPids } = features
    const program = blocker === 'btfHeader' ? `Tetragon ${tetragon.replace(/^v/, '')}` : 'Tetragon'
    const why = `Linux ${facts.release} cannot run ${program}: ${blockerReasons[blocker]}`
    return { source: 'replay', blocker, why, features: { ...noFeatures, btf, hostPids } }
  }
  // The agent would take the processes of the container for those of the machine, because both count from 1.
  if (facts.container && facts.hostPids === false)
    return {
      source: 'replay',
      blocker: 'container',
      why: `Docker runs in a container, so its /proc is not that of the machine: Tetragon on Linux ${facts.release} would name the wrong processes`,
      features,
    }
  const note =
    facts.hostPids === false
      ? ', but only in a PID namespace of its own: events do not name processes that started before Tetragon'
      : ''
  return { source: 'live', why: `Linux ${facts.release} can run Tetragon${note}`, features }
}

function findBlocker(facts: KernelFacts, tetragon: string): Exclude<Blocker, 'container'> | undefined {
  const { btf, kprobes, tracefs, symbols, lockdown, config, rootless } = facts
  const disabled = (option: string): boolean => config.get(option) === 'n'
  if (rootless) return 'rootless'
  if (!btf) return 'btf'
  if (kprobes === false) return 'kprobes'
  if (tracefs === 'none') return 'tracefs'
  if (disabled('CONFIG_BPF_SYSCALL') || disabled('CONFIG_BPF_EVENTS')) return 'bpf'
  if (disabled('CONFIG_SECURITY') || symbols?.has('security_bprm_committing_creds') === false) return 'security'
  if (symbols && !symbols.has('acct_process') && !symbols.has('disassociate_ctty')) return 'exit'
  if (lockdown === 'confidentiality') return 'lockdown'
  // Last: the others also keep newer releases of Tetragon from running.
  if ((facts.btfHeaderBytes ?? 0) > shortBtfHeader && !readsLongBtfHeader(tetragon)) return 'btfHeader'
  return undefined
}

function readsLongBtfHeader(tetragon: string): boolean {
  const [major, minor] = firstTetragonForLongBtfHeader.split('.').map(Number)
  return atLeast(tetragon.replace(/^v/, ''), [major!, minor!])
}
