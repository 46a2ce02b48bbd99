import { initialPidNamespace } from '../engine/enclosing-container.ts'

/** What probe.sh reports about a kernel. `undefined` where the probe could not see it from where it ran. */
export interface KernelFacts {
  /** As in 6.1.0-28-cloud-amd64. */
  release: string
  /** As `uname -m` prints it: x86_64, aarch64. */
  arch: string
  /** Whether the probe ran in the host's PID namespace, rather than that of a container or a WSL distribution. */
  hostPids: boolean | undefined
  /** Docker runs in a container. */
  container: boolean | undefined
  btf: boolean
  /** The length that the header of the BTF states: 24, and 32 from Linux 7.1 on. */
  btfHeaderBytes: number | undefined
  /** Kprobes can be attached from user space: CONFIG_KPROBE_EVENTS. */
  kprobes: boolean | undefined
  /** Functions in user programs can be traced: CONFIG_UPROBE_EVENTS. */
  uprobes: boolean | undefined
  /** The tracing file system: mounted, supported but not mounted, or not built in (CONFIG_FTRACE). */
  tracefs: 'mounted' | 'unmounted' | 'none' | undefined
  /** The kernel symbols that the probe looks for and found; undefined when /proc/kallsyms is not readable. */
  symbols: ReadonlySet<string> | undefined
  lsm: readonly string[] | undefined
  /** Kernel lockdown; `none` also where it is not built in. */
  lockdown: 'none' | 'integrity' | 'confidentiality' | undefined
  /** System calls can be overridden: they are listed under error_injection. */
  errorInjection: boolean | undefined
  cgroup: 1 | 2
  /** CONFIG_ options that the probe could read; empty where no configuration is readable. */
  config: ReadonlyMap<string, string>
  /** The Docker engine runs without root, so its containers cannot load BPF programs. */
  rootless: boolean
}

/** Parses the output of probe.sh. */
export function parseProbe(text: string, rootless = false): KernelFacts {
  const values = new Map(
    text
      .split('\n')
      .filter(line => line.includes('='))
      .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  )
  const get = (key: string): string => values.get(key) ?? ''
  const flag = (key: string): boolean | undefined => ({ yes: true, no: false })[get(key)]
  const list = (key: string, separator: string): string[] | undefined =>
    get(key) === 'unknown' || !values.has(key) ? undefined : get(key).split(separator).filter(Boolean)
  const symbols = list('symbols', ' ')
  const lockdown = get('lockdown')
  const pidNamespace = get('pid_namespace')
  const kprobePmu = flag('kprobe_pmu')
  return {
    release: get('release'),
    arch: get('arch'),
    hostPids: pidNamespace === '' ? undefined : pidNamespace === initialPidNamespace,
    container: flag('container'),
    btf: Number(get('btf_bytes')) > 0,
    btfHeaderBytes: Number(get('btf_header_bytes')) || undefined,
    // Kernels before 4.17 have only the kprobe_events file; later kernels have both or neither.
    kprobes: kprobePmu === true ? true : (flag('kprobe_events') ?? kprobePmu),
    uprobes: flag('uprobe_pmu'),
    tracefs: (['mounted', 'unmounted', 'none'] as const).find(state => state === get('tracefs')),
    symbols: symbols && new Set(symbols),
    lsm: list('lsm', ','),
    lockdown:
      lockdown === 'no' ? 'none' : (['none', 'integrity', 'confidentiality'] as const).find(mode => mode === lockdown),
    errorInjection: flag('error_injection'),
    cgroup: get('cgroup') === '2' ? 2 : 1,
    config: new Map([...values].filter(([key]) => key.startsWith('CONFIG_'))),
    rootless,
  }
}
