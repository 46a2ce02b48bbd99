// From what a kernel offers to what the lab does with it. Pure: facts in, decision out.

/** Yes, no, or not to be found out from where the probe ran. */
export type Known = boolean | undefined

/** What probe.sh found. */
export interface KernelFacts {
  /** As in 6.1.0-28-cloud-amd64. */
  release: string
  /** As `uname -m` says: x86_64, aarch64. */
  arch: string
  /** Whether the probe saw the machine's own process numbers, rather than those of a container or a WSL distribution. */
  hostPids: Known
  btf: boolean
  /** Kprobes can be attached from user space: CONFIG_KPROBE_EVENTS. */
  kprobes: Known
  /** Functions of programs can be traced: CONFIG_UPROBE_EVENTS. */
  uprobes: Known
  /** The tracing file system: mounted, only known to the kernel, or not built (CONFIG_FTRACE). */
  tracefs: 'mounted' | 'unmounted' | 'none' | undefined
  /** Of those the probe asks for; undefined when /proc/kallsyms may not be read. */
  symbols: ReadonlySet<string> | undefined
  lsm: readonly string[] | undefined
  /** Kernel lockdown; `none` also where it is not built. */
  lockdown: 'none' | 'integrity' | 'confidentiality' | undefined
  /** System calls may be overridden: listed under error_injection. */
  errorInjection: Known
  cgroup: 1 | 2
  /** CONFIG_ options that the probe could read; empty where no configuration is readable. */
  config: ReadonlyMap<string, string>
  /** The Docker engine runs without root, and so do its containers: they may not load BPF programs. */
  rootless: boolean
}

/** What of Tetragon works on a kernel; exercises ask for these by name. What is not known is false. */
export interface Features {
  /** Type information, which Tetragon cannot do without. */
  btf: boolean
  /** Policies with `kprobes`. */
  kprobes: boolean
  /** Many functions attached at once, which makes loading quick (6.x kernels with CONFIG_FPROBE). */
  kprobeMulti: boolean
  /** `Sigkill` and `Signal`. */
  sigkill: boolean
  /** `Override` of system calls (CONFIG_BPF_KPROBE_OVERRIDE). */
  override: boolean
  /** `Override` of `security_` functions (BPF trampolines). */
  overrideSecurity: boolean
  /** Policies with `lsmhooks`. */
  lsm: boolean
  /** Policies with `uprobes`: functions of programs. */
  uprobes: boolean
  /** Events name every process of the machine, also those that started before Tetragon. */
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

/** What a kernel lacks that keeps Tetragon from running. */
export type Lack = 'root' | 'btf' | 'kprobes' | 'tracefs' | 'bpf' | 'security' | 'exit' | 'lockdown'

/** Where events can come from, and why. */
export interface Verdict {
  source: 'live' | 'replay'
  /** Absent where Tetragon can run. */
  lack?: Lack
  /** One sentence for a person, naming the kernel. */
  why: string
  features: Features
}

/** Whether the real Tetragon can run on a kernel. Only what is known to be missing speaks against it. */
export function judgeKernel(facts: KernelFacts): Verdict {
  const features = featuresOf(facts)
  const lack = lackOf(facts)
  if (lack) {
    const { btf, hostPids } = features
    const why = `Linux ${facts.release} cannot run Tetragon: ${lackWords[lack]}`
    return { source: 'replay', lack, why, features: { ...noFeatures, btf, hostPids } }
  }
  const note =
    facts.hostPids === false
      ? ', but inside a namespace of its own: processes that started before Tetragon stay nameless in its events'
      : ''
  return { source: 'live', why: `Linux ${facts.release} can run Tetragon${note}`, features }
}

const lackWords: Record<Lack, string> = {
  root: 'Docker runs rootless, so nothing in it may load BPF programs',
  btf: 'it has no type information for BPF (CONFIG_DEBUG_INFO_BTF)',
  kprobes: 'it cannot attach kprobes (CONFIG_KPROBE_EVENTS)',
  tracefs: 'it has no tracing file system (CONFIG_FTRACE)',
  bpf: 'BPF is switched off in it (CONFIG_BPF_EVENTS)',
  security: 'it has no security hooks (CONFIG_SECURITY)',
  exit: 'nothing tells when a process ends (CONFIG_BSD_PROCESS_ACCT or CONFIG_TTY)',
  lockdown: 'it is locked down to confidentiality',
}

function lackOf({ btf, kprobes, tracefs, symbols, lockdown, config, rootless }: KernelFacts): Lack | undefined {
  const no = (option: string): boolean => config.get(option) === 'n'
  if (rootless) return 'root'
  if (!btf) return 'btf'
  if (kprobes === false) return 'kprobes'
  if (tracefs === 'none') return 'tracefs'
  if (no('CONFIG_BPF_SYSCALL') || no('CONFIG_BPF_EVENTS')) return 'bpf'
  if (no('CONFIG_SECURITY') || symbols?.has('security_bprm_committing_creds') === false) return 'security'
  if (symbols && !symbols.has('acct_process') && !symbols.has('disassociate_ctty')) return 'exit'
  if (lockdown === 'confidentiality') return 'lockdown'
  return undefined
}

function featuresOf(facts: KernelFacts): Features {
  const { btf, symbols, lsm, errorInjection, config } = facts
  const has = (symbol: string): boolean => symbols?.has(symbol) ?? false
  const kprobes = btf && facts.kprobes === true
  const arm = facts.arch === 'aarch64' || facts.arch === 'arm64'
  // Trampolines, which fmod_ret and BPF LSM programs need, came to arm64 late
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

/** Whether a kernel release is at least this major and minor version. */
export function atLeast(release: string, [major, minor]: readonly [number, number]): boolean {
  const [, first, second] = /^(\d+)\.(\d+)/.exec(release) ?? []
  return Number(first) > major || (Number(first) === major && Number(second) >= minor)
}

/** Inode of the process namespace that the kernel starts with; a constant of Linux (PROC_PID_INIT_INO). */
const initialPidNamespace = 'pid:[4026531836]'

/** Reads the output of probe.sh. */
export function parseProbe(text: string, rootless = false): KernelFacts {
  const values = new Map(
    text
      .split('\n')
      .filter(line => line.includes('='))
      .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  )
  const get = (key: string): string => values.get(key) ?? ''
  const known = (key: string): Known => ({ yes: true, no: false })[get(key)]
  const words = (key: string, by: RegExp): string[] | undefined =>
    get(key) === 'unknown' || !values.has(key) ? undefined : get(key).split(by).filter(Boolean)
  const symbols = words('symbols', / /)
  const lockdown = get('lockdown')
  const pidNamespace = get('pid_namespace')
  const pmu = known('kprobe_pmu')
  return {
    release: get('release'),
    arch: get('arch'),
    hostPids: pidNamespace === '' ? undefined : pidNamespace === initialPidNamespace,
    btf: Number(get('btf_bytes')) > 0,
    // Kernels before 4.17 have the file alone; from then on both come and go together
    kprobes: pmu === true ? true : (known('kprobe_events') ?? pmu),
    uprobes: known('uprobe_pmu'),
    tracefs: (['mounted', 'unmounted', 'none'] as const).find(state => state === get('tracefs')),
    symbols: symbols && new Set(symbols),
    lsm: words('lsm', /,/),
    lockdown:
      lockdown === 'no' ? 'none' : (['none', 'integrity', 'confidentiality'] as const).find(mode => mode === lockdown),
    errorInjection: known('error_injection'),
    cgroup: get('cgroup') === '2' ? 2 : 1,
    config: new Map([...values].filter(([key]) => key.startsWith('CONFIG_'))),
    rootless,
  }
}
