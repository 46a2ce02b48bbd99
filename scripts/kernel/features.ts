import type { KernelFacts } from './kernel-facts.ts'

/** The parts of Tetragon that work on a kernel. Exercises and policies require them by these names. */
export interface Features {
  /** BPF type information, which every Tetragon program needs. */
  btf: boolean
  /** Policies with `kprobes`. */
  kprobes: boolean
  /** One attachment for many functions, which makes loading fast (6.x kernels with CONFIG_FPROBE). */
  kprobeMulti: boolean
  /** `Sigkill` and `Signal`. */
  sigkill: boolean
  /** `Override` of system calls (CONFIG_BPF_KPROBE_OVERRIDE). */
  override: boolean
  /** `Override` of `security_` functions (BPF trampolines). */
  overrideSecurity: boolean
  /** Policies with `lsmhooks`. */
  lsm: boolean
  /** Policies with `uprobes`. */
  uprobes: boolean
  /** Events name every process of the host, including those that started before Tetragon. */
  hostPids: boolean
}
export type Feature = keyof Features

export const noFeatures: Features = {
  btf: false,
  kprobes: false,
  kprobeMulti: false,
  sigkill: false,
  override: false,
  overrideSecurity: false,
  lsm: false,
  uprobes: false,
  hostPids: false,
}

export const featureNames = Object.keys(noFeatures) as [Feature, ...Feature[]]

/** Names each feature for a person, with what provides it in parentheses. */
export const featureDescriptions: Record<Feature, string> = {
  btf: 'BPF type information (CONFIG_DEBUG_INFO_BTF)',
  kprobes: 'kprobes (CONFIG_KPROBE_EVENTS)',
  kprobeMulti: 'multi-kprobes (CONFIG_FPROBE)',
  sigkill: 'signals from BPF (Linux 5.3 or newer)',
  override: 'Override of system calls (CONFIG_BPF_KPROBE_OVERRIDE)',
  overrideSecurity: 'Override of security_ functions (BPF trampolines)',
  lsm: 'BPF LSM (`bpf` in /sys/kernel/security/lsm)',
  uprobes: 'uprobes (CONFIG_UPROBE_EVENTS)',
  hostPids: 'host PIDs',
}

/** Returns the features that these facts prove. What the probe could not see counts as missing. */
export function supportedFeatures(facts: KernelFacts): Features {
  const { btf, symbols, lsm, errorInjection, config } = facts
  const has = (symbol: string): boolean => symbols?.has(symbol) ?? false
  const kprobes = btf && facts.kprobes === true
  const arm = facts.arch === 'aarch64' || facts.arch === 'arm64'
  // fmod_ret and BPF LSM programs need trampolines, which arm64 got later than x86.
  const trampolines = btf && atLeast(facts.release, arm ? [6, 0] : [5, 7]) && has('register_ftrace_direct')
  return {
    btf,
    kprobes,
    kprobeMulti: kprobes && atLeast(facts.release, [5, 18]) && has('register_fprobe'),
    sigkill: kprobes && atLeast(facts.release, [5, 3]),
    override:
      kprobes &&
      config.get('CONFIG_BPF_KPROBE_OVERRIDE') !== 'n' &&
      (config.get('CONFIG_BPF_KPROBE_OVERRIDE') === 'y' || has('bpf_override_return')) &&
      errorInjection !== false,
    overrideSecurity: kprobes && trampolines,
    uprobes: btf && facts.uprobes === true,
    lsm: trampolines && has('bpf_lsm_file_open') && (lsm?.includes('bpf') ?? false),
    hostPids: facts.hostPids ?? false,
  }
}

/** Returns whether a kernel release is at least this major and minor version. */
export function atLeast(release: string, [major, minor]: readonly [number, number]): boolean {
  const [, first, second] = /^(\d+)\.(\d+)/.exec(release) ?? []
  return Number(first) > major || (Number(first) === major && Number(second) >= minor)
}
