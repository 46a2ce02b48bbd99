import { type Features, noFeatures, supportedFeatures } from './features.ts'
import type { KernelFacts } from './kernel-facts.ts'

/** What keeps Tetragon from running on a kernel. */
export type Blocker = 'rootless' | 'btf' | 'kprobes' | 'tracefs' | 'bpf' | 'security' | 'exit' | 'lockdown'

/** Where events come from on a kernel, and why. */
export interface Verdict {
  source: 'live' | 'replay'
  /** Absent where Tetragon can run. */
  blocker?: Blocker
  /** One sentence for a person, naming the kernel. */
  why: string
  features: Features
}

const blockerReasons: Record<Blocker, string> = {
  rootless: 'Docker runs rootless, so its containers cannot load BPF programs',
  btf: 'it has no BPF type information (CONFIG_DEBUG_INFO_BTF)',
  kprobes: 'it cannot attach kprobes (CONFIG_KPROBE_EVENTS)',
  tracefs: 'it has no tracing file system (CONFIG_FTRACE)',
  bpf: 'BPF is disabled in it (CONFIG_BPF_EVENTS)',
  security: 'it has no security hooks (CONFIG_SECURITY)',
  exit: 'it has no function that runs when a process exits (CONFIG_BSD_PROCESS_ACCT or CONFIG_TTY)',
  lockdown: 'its lockdown mode is confidentiality',
}

/** Judges whether Tetragon can run on a kernel. Only a requirement that is known to be missing speaks against it. */
export function kernelVerdict(facts: KernelFacts): Verdict {
  const features = supportedFeatures(facts)
  const blocker = findBlocker(facts)
  if (blocker) {
    const { btf, hostPids } = features
    const why = `Linux ${facts.release} cannot run Tetragon: ${blockerReasons[blocker]}`
    return { source: 'replay', blocker, why, features: { ...noFeatures, btf, hostPids } }
  }
  const note =
    facts.hostPids === false
      ? ', but only in a PID namespace of its own: events do not name processes that started before Tetragon'
      : ''
  return { source: 'live', why: `Linux ${facts.release} can run Tetragon${note}`, features }
}

function findBlocker({ btf, kprobes, tracefs, symbols, lockdown, config, rootless }: KernelFacts): Blocker | undefined {
  const disabled = (option: string): boolean => config.get(option) === 'n'
  if (rootless) return 'rootless'
  if (!btf) return 'btf'
  if (kprobes === false) return 'kprobes'
  if (tracefs === 'none') return 'tracefs'
  if (disabled('CONFIG_BPF_SYSCALL') || disabled('CONFIG_BPF_EVENTS')) return 'bpf'
  if (disabled('CONFIG_SECURITY') || symbols?.has('security_bprm_committing_creds') === false) return 'security'
  if (symbols && !symbols.has('acct_process') && !symbols.has('disassociate_ctty')) return 'exit'
  if (lockdown === 'confidentiality') return 'lockdown'
  return undefined
}
