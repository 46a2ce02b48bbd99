import { type Feature, noFeatures } from './features.ts'

/** Names of what a kernel may offer, as exercises ask for them: those of the doctor. */
export const features = Object.keys(noFeatures) as [Feature, ...Feature[]]

/** What is lacking without one, for a person. */
export const featureWords: Record<Feature, string> = {
  btf: 'type information for BPF (CONFIG_DEBUG_INFO_BTF)',
  kprobes: 'kprobes',
  kprobeMulti: 'kprobes on many functions at once (CONFIG_FPROBE)',
  sigkill: 'signals from BPF (kernel 5.3)',
  override: 'overriding system calls (CONFIG_BPF_KPROBE_OVERRIDE)',
  overrideSecurity: 'overriding security_ functions (BPF trampolines)',
  lsm: 'BPF LSM (`bpf` in /sys/kernel/security/lsm)',
  uprobes: 'uprobes (CONFIG_UPROBE_EVENTS)',
  hostPids: "the machine's own process numbers",
}
