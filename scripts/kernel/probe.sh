#!/bin/sh
# Prints what this kernel offers Tetragon, as key=value lines. Changes nothing on the machine.
#
#   sh probe.sh          on the machine itself, as any user: what the user cannot read is `unknown`
#   sh probe.sh mount    in a privileged container: mounts the kernel file systems that the container lacks
#
# A kernel can have BTF and symbols and still be unable to attach a kprobe. /sys/bus/event_source/devices/kprobe shows
# whether it can (CONFIG_KPROBE_EVENTS).
set -u

if [ "${1:-}" = mount ]; then
  mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
  mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
  mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
fi

# Prints yes or no where the parent folder is readable, else unknown.
has() {
  if [ -e "$2" ]; then echo "$1=yes"
  elif [ -r "${2%/*}" ] && [ -n "$(ls -A "${2%/*}" 2>/dev/null)" ]; then echo "$1=no"
  else echo "$1=unknown"; fi
}

release=$(uname -r)
echo "release=$release"
echo "arch=$(uname -m)"
echo "pid_namespace=$(readlink /proc/self/ns/pid 2>/dev/null)"
# Whether Docker runs in a container: seen from the machine's first process, or from here.
if [ "${1:-}" = mount ]; then
  if [ ! -r /proc/1/root ]; then echo container=unknown
  elif [ -e /proc/1/root/.dockerenv ] || [ -e /proc/1/root/run/.containerenv ]; then echo container=yes
  else echo container=no; fi
elif [ -e /.dockerenv ] || [ -e /run/.containerenv ] || [ -n "${KUBERNETES_SERVICE_HOST:-}" ]; then echo container=yes
else echo container=no; fi
echo "btf_bytes=$(wc -c < /sys/kernel/btf/vmlinux 2>/dev/null | tr -d ' ' || true)"
# The length that the BTF header states: a little-endian u32 at byte 4.
# shellcheck disable=SC2046
set -- "${1:-}" $(od -An -v -tu1 -j4 -N4 /sys/kernel/btf/vmlinux 2>/dev/null)
if [ $# -eq 5 ]; then echo "btf_header_bytes=$(($2 + $3 * 256 + $4 * 65536 + $5 * 16777216))"
else echo btf_header_bytes=unknown; fi
has kprobe_pmu /sys/bus/event_source/devices/kprobe
has uprobe_pmu /sys/bus/event_source/devices/uprobe
has kprobe_events /sys/kernel/tracing/kprobe_events
# The agent mounts it where it is not mounted.
if grep -qs ' tracefs ' /proc/mounts; then echo tracefs=mounted
elif grep -qsw tracefs /proc/filesystems; then echo tracefs=unmounted
elif [ -r /proc/filesystems ]; then echo tracefs=none
else echo tracefs=unknown; fi

if [ -r /proc/kallsyms ]; then
  echo "symbols=$(grep -oE ' (security_bprm_committing_creds|security_file_open|acct_process|disassociate_ctty|tcp_connect|fd_install|register_fprobe|register_ftrace_direct|bpf_override_return|bpf_lsm_file_open)$' /proc/kallsyms | sort -u | tr -d '\n')"
else
  echo symbols=unknown
fi

if [ -r /sys/kernel/security/lsm ]; then echo "lsm=$(cat /sys/kernel/security/lsm)"; else echo lsm=unknown; fi
if [ -r /sys/kernel/security/lockdown ]; then
  echo "lockdown=$(sed 's/.*\[\(.*\)\].*/\1/' /sys/kernel/security/lockdown)"
else
  has lockdown /sys/kernel/security/lockdown
fi
if [ -r /sys/kernel/debug/error_injection/list ]; then
  if grep -qE '^__(x64|arm64)_sys_' /sys/kernel/debug/error_injection/list; then echo error_injection=yes; else echo error_injection=no; fi
else
  has error_injection /sys/kernel/debug/error_injection
fi
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo cgroup=2; else echo cgroup=1; fi

{
  if [ -r /proc/config.gz ]; then zcat /proc/config.gz
  elif [ "${1:-}" != mount ] && [ -r "/boot/config-$release" ]; then cat "/boot/config-$release"
  elif [ "${1:-}" != mount ] && [ -r "/lib/modules/$release/config" ]; then cat "/lib/modules/$release/config"
  fi
} 2>/dev/null | sed -nE \
  -e 's/^(CONFIG_(BPF_SYSCALL|BPF_EVENTS|BPF_LSM|BPF_KPROBE_OVERRIDE|KPROBES|KPROBE_EVENTS|SECURITY|CGROUPS|FPROBE))=(y|m)$/\1=\3/p' \
  -e 's/^# (CONFIG_(BPF_SYSCALL|BPF_EVENTS|BPF_LSM|BPF_KPROBE_OVERRIDE|KPROBES|KPROBE_EVENTS|SECURITY|CGROUPS|FPROBE)) is not set$/\1=n/p'
exit 0
