// Output of probe.sh on different machines.

const hooks = 'security_bprm_committing_creds security_file_open acct_process disassociate_ctty tcp_connect fd_install'

export const debian = `release=6.1.0-28-cloud-amd64
arch=x86_64
pid_namespace=pid:[4026531836]
btf_bytes=5126713
kprobe_pmu=yes
kprobe_events=yes
symbols= ${hooks} register_ftrace_direct bpf_lsm_file_open
lsm=lockdown,capability,landlock,yama,apparmor,bpf
lockdown=none
error_injection=no
cgroup=2
CONFIG_BPF_SYSCALL=y
CONFIG_BPF_EVENTS=y
CONFIG_SECURITY=y
CONFIG_KPROBE_EVENTS=y
CONFIG_BPF_KPROBE_OVERRIDE=n
`

/** Probed without root. */
export const ubuntu = `release=6.8.0-60-generic
arch=x86_64
pid_namespace=pid:[4026531836]
btf_bytes=6700000
kprobe_pmu=yes
kprobe_events=unknown
symbols= ${hooks} register_fprobe register_ftrace_direct bpf_override_return bpf_lsm_file_open
lsm=lockdown,capability,landlock,yama,apparmor
lockdown=integrity
error_injection=unknown
cgroup=2
CONFIG_BPF_KPROBE_OVERRIDE=y
`

/** No /proc/config.gz, no lockdown, no fprobe, no error injection, and a PID namespace of its own. */
export const wsl = `release=6.18.20.1-microsoft-standard-WSL2
arch=x86_64
pid_namespace=pid:[4026532241]
btf_bytes=6000000
kprobe_pmu=yes
kprobe_events=yes
symbols= ${hooks} register_ftrace_direct bpf_lsm_file_open
lsm=capability,landlock,yama,safesetid,selinux
lockdown=no
error_injection=no
cgroup=2
`

/** Probed from a container in its VM, on Apple silicon. */
export const dockerDesktop = `release=6.10.14-linuxkit
arch=aarch64
pid_namespace=pid:[4026531836]
btf_bytes=4900000
kprobe_pmu=yes
kprobe_events=yes
symbols= ${hooks} register_ftrace_direct bpf_override_return
lsm=capability
lockdown=no
error_injection=yes
cgroup=2
`

/** Has BTF and all the symbols, and still cannot attach a kprobe. */
export const microVm = `release=6.18.44
arch=x86_64
pid_namespace=pid:[4026531836]
btf_bytes=5516713
kprobe_pmu=no
kprobe_events=no
symbols= ${hooks} register_ftrace_direct bpf_lsm_file_open
lsm=lockdown,capability,landlock,bpf
lockdown=integrity
error_injection=no
cgroup=1
CONFIG_KPROBES=n
`

/** Linux 7.1 gave the BTF header two more fields. */
export const arch = `release=7.2.6-arch1-1
arch=x86_64
pid_namespace=pid:[4026531836]
btf_bytes=7400000
btf_header_bytes=32
kprobe_pmu=yes
kprobe_events=yes
symbols= ${hooks} register_fprobe register_ftrace_direct bpf_lsm_file_open
lsm=capability,landlock,lockdown,yama,bpf
lockdown=none
error_injection=no
cgroup=2
`

/** Docker in a dev container: of GitHub Codespaces, or on a laptop. */
export const devContainer = `${ubuntu.replace('4026531836', '4026532620')}container=yes
`

/** Returns the probe with another value for a key that it has. */
export function withValue(probe: string, key: string, value: string): string {
  const line = new RegExp(`^${key}=.*$`, 'm')
  if (!line.test(probe)) throw new Error(`The probe has no key ${key}`)
  return probe.replace(line, `${key}=${value}`)
}
