import { type Filter, type Hook, isFiltered, type Policy, type Selector } from '../model/policy-model.ts'
import { nearest } from './hooks.ts'
import type { Rule } from './rule.ts'

// Which calls are looked at: the limits of a selector, and which process it means.

const selectorsOf = (policy: Policy): { hook: Hook; selector: Selector }[] =>
  policy.hooks.flatMap(hook => hook.selectors.map(selector => ({ hook, selector })))

const binariesOf = (policy: Policy): { hook: Hook; filter: Filter }[] =>
  selectorsOf(policy).flatMap(({ hook, selector }) =>
    [...selector.binaries, ...selector.parentBinaries].map(filter => ({ hook, filter })),
  )

const list = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter(item => item !== null && typeof item === 'object') : []

/** Programs that are links, to what depends on the image. */
const links: Record<string, string> = {
  '/bin/sh': '/usr/bin/dash in Debian images, /bin/busybox in Alpine ones',
  '/usr/bin/sh': '/usr/bin/dash in Debian images',
  '/usr/bin/python': '/usr/bin/python3.11 or another version',
  '/usr/bin/python3': '/usr/bin/python3.11 or another version',
  '/usr/bin/awk': '/usr/bin/mawk or gawk, /bin/busybox in Alpine images',
  '/usr/bin/nc': '/usr/bin/nc.openbsd, /bin/busybox in Alpine images',
  '/usr/bin/vi': '/usr/bin/vim.basic, /bin/busybox in Alpine images',
  '/usr/bin/java': 'the java of /usr/lib/jvm',
  '/usr/bin/redis-server': '/usr/bin/redis-check-rdb in Debian images',
}

/** Programs that are the one binary /bin/busybox in Alpine images. */
const applets = new Set(
  'ash awk base64 cat chmod chown cp dd df du echo env find grep gunzip gzip head hostname id kill ln ls mkdir mount mv nc netstat nslookup ping ps rm sed sh sleep tail tar telnet touch top traceroute tr umount uname unzip vi wc wget which whoami xargs'.split(
    ' ',
  ),
)

const namespaceTypes = new Set('uts ipc mnt pid pidforchildren net time timeforchildren cgroup user'.split(' '))

/** Capabilities as Tetragon names them, in the order of their numbers. */
const capabilities = new Set(
  `CAP_CHOWN DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP
  CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER
  CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE
  CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP
  CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF
  CAP_CHECKPOINT_RESTORE`.split(/\s+/),
)

/** Hooks at which the new program is not there yet: the process is the one that asks for it. */
const execHook = /^(security_bprm_(check|creds|committing)|bprm_(check|creds|committing)|(__x64_|__arm64_)?sys_execve)/

export const selectorRules: Rule[] = [
  {
    id: 'too-many-selectors',
    level: 'error',
    why: 'A hook has room for five selectors, and the agent refuses a sixth.',
    check(policy, report) {
      for (const { path, name, selectors } of policy.hooks)
        if (selectors.length > 5)
          report(
            [...path, 'selectors', 5],
            `${selectors.length} selectors on ${name}`,
            'put values side by side in one selector, or make a second policy',
          )
    },
  },
  {
    id: 'unreachable-selector',
    level: 'error',
    why: 'The first selector that matches decides, and the others are not looked at. One without a filter matches always.',
    check(policy, report) {
      for (const { name, selectors } of policy.hooks) {
        const open = selectors.findIndex(selector => !isFiltered(selector))
        const next = open < 0 ? undefined : selectors[open + 1]
        if (next)
          report(
            next.path,
            `a selector of ${name} after one that matches everything`,
            `put selectors[${open}] last, or give it a filter`,
          )
      }
    },
  },
  {
    id: 'too-many-filters',
    level: 'error',
    why: 'A selector has room for five comparisons of arguments and data, and ten of namespaces with four values each; the agent refuses more.',
    check(policy, report) {
      for (const { hook, selector } of selectorsOf(policy)) {
        const compared = selector.args.filter(({ list: kind }) => kind !== 'matchReturnArgs')
        if (compared.length > 5)
          report(compared[5]!.path, `${compared.length} comparisons in a selector of ${hook.name}`, 'keep five of them')
        const namespaces = list(selector.spec.matchNamespaces)
        if (namespaces.length > 10)
          report([...selector.path, 'matchNamespaces', 10], `${namespaces.length} namespaces`, 'keep ten of them')
        for (const [index, { values }] of namespaces.entries())
          if (Array.isArray(values) && values.length > 4)
            report(
              [...selector.path, 'matchNamespaces', index, 'values'],
              `${values.length} values of a namespace`,
              'keep four of them',
            )
        if (list(selector.spec.matchNamespaceChanges).length > 1)
          report(
            [...selector.path, 'matchNamespaceChanges', 1],
            'two matchNamespaceChanges',
            'put the namespaces into the values of one',
          )
      }
    },
  },
  {
    id: 'one-binaries',
    level: 'error',
    why: 'A selector takes one matchBinaries (and one matchParentBinaries), with as many values as you like.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const [key, filters] of [
          ['matchBinaries', selector.binaries],
          ['matchParentBinaries', selector.parentBinaries],
        ] as const)
          if (filters.length > 1)
            report(
              [...selector.path, key],
              `${filters.length} entries of ${key}`,
              'put the paths into the values of one, or make a second selector',
            )
    },
  },
  {
    id: 'namespace-value',
    level: 'error',
    why: 'A Linux namespace is named by its inode, or by host_ns. Names of Kubernetes namespaces are another thing.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const [index, { values }] of list(selector.spec.matchNamespaces).entries())
          for (const [place, value] of (Array.isArray(values) ? values : []).entries())
            if (value !== 'host_ns' && !/^\d+$/.test(String(value)))
              report(
                [...selector.path, 'matchNamespaces', index, 'values', place],
                `${JSON.stringify(value)} is no inode of a Linux namespace`,
                'write "host_ns" or the inode; for a Kubernetes namespace make a TracingPolicyNamespaced',
              )
      for (const { selector } of selectorsOf(policy))
        for (const [index, { values }] of list(selector.spec.matchNamespaceChanges).entries())
          for (const [place, value] of (Array.isArray(values) ? values : []).entries())
            if (!namespaceTypes.has(String(value).toLowerCase()))
              report(
                [...selector.path, 'matchNamespaceChanges', index, 'values', place],
                `${JSON.stringify(value)} is no type of namespace`,
                `write one of Mnt, Pid, Net, User, Uts, Ipc, Cgroup, Time`,
              )
    },
  },
  {
    id: 'capability',
    level: 'error',
    why: 'Capabilities go by the names of the kernel, except for CAP_DAC_OVERRIDE, which Tetragon calls DAC_OVERRIDE; others are refused.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const key of ['matchCapabilities', 'matchCapabilityChanges'])
          for (const [index, { values }] of list(selector.spec[key]).entries())
            for (const [place, value] of (Array.isArray(values) ? values : []).entries()) {
              const name = String(value).trim().toUpperCase()
              if (capabilities.has(name)) continue
              const near = [name.replace(/^CAP_/, ''), `CAP_${name}`].find(one => capabilities.has(one))
              report(
                [...selector.path, key, index, 'values', place],
                `${JSON.stringify(value)} is no capability`,
                near || nearest(name, capabilities)
                  ? `write ${near ?? nearest(name, capabilities)}`
                  : 'write a name as in CAP_SYS_ADMIN',
              )
            }
    },
  },
  {
    id: 'host-namespace',
    level: 'warn',
    why: 'host_ns is the namespace of process 1 of the machine. On a kind node the kubelet, containerd and the control plane run in the node container, so they count as "not host".',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const [index, { values }] of list(selector.spec.matchNamespaces).entries())
          if (Array.isArray(values) && values.includes('host_ns'))
            report(
              [...selector.path, 'matchNamespaces', index],
              'the host told by host_ns',
              'write podSelector: {} under spec, which means all pods and nothing else',
            )
    },
  },
  {
    id: 'follow-children',
    level: 'error',
    why: 'followChildren is made for In and NotIn; the agent refuses it with other operators.',
    check(policy, report) {
      for (const { filter } of binariesOf(policy))
        if (filter.spec.followChildren === true && !['In', 'NotIn'].includes(filter.operator))
          report(
            [...filter.path, 'followChildren'],
            `followChildren with ${filter.operator}`,
            'write operator: In and the whole paths',
          )
    },
  },
  {
    id: 'parent-binaries',
    level: 'error',
    why: "matchParentBinaries needs the agent's flag parents-map-enabled, which is off by default and in the lab; without it the policy is refused.",
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        if (selector.parentBinaries.length > 0)
          report(
            [...selector.path, 'matchParentBinaries'],
            'matchParentBinaries',
            'use matchBinaries with followChildren: true',
          )
    },
  },
  {
    id: 'binary-by-link',
    level: 'warn',
    why: 'matchBinaries knows a process by the file that it runs, links followed. The name of a link, or of a busybox applet, matches nothing.',
    check(policy, report) {
      for (const { filter } of binariesOf(policy)) {
        if (!['In', 'NotIn'].includes(filter.operator)) continue
        for (const [index, value] of filter.values.entries()) {
          const base = value.slice(value.lastIndexOf('/') + 1)
          const twin = value.startsWith('/usr/') ? value : `/usr${value}`
          const merged = /^\/s?bin\//.test(value) && base !== 'busybox' && !filter.values.includes(twin)
          const message = links[value]
            ? `${value} is a link to ${links[value]}`
            : applets.has(base) && !filter.values.includes('/bin/busybox')
              ? `${value} is /bin/busybox in Alpine images`
              : merged
                ? `${value} is ${twin} where /bin is a link to /usr/bin, as in Debian images`
                : undefined
          if (message)
            report(
              [...filter.path, 'values', index],
              message,
              'write what `readlink -f $(command -v PROGRAM)` says in the image, or match the name it is started by: see deny-wget',
            )
        }
      }
    },
  },
  {
    id: 'binary-is-caller',
    level: 'warn',
    why: 'While a program is being started, the process is still the one that starts it. matchBinaries there means the caller; the new program is an argument.',
    check(policy, report) {
      for (const { hook, filter } of binariesOf(policy))
        if (execHook.test(hook.name) && filter.operator === 'In' && filter.spec.followChildren !== true)
          report(
            filter.path,
            `matchBinaries on ${hook.name} means who starts a program`,
            'to name the program, compare the argument; to name who starts it and its children, add followChildren: true',
          )
    },
  },
  {
    id: 'init-tree',
    level: 'warn',
    why: 'followForks walks up to nine parents. A kind node is a container itself, whose systemd is a process 1 too, and every container hangs below it: there NotIn 1 leaves out everything.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const [index, pids] of list(selector.spec.matchPIDs).entries())
          if (
            pids.isNamespacePID === true &&
            pids.followForks === true &&
            Array.isArray(pids.values) &&
            pids.values.includes(1)
          )
            report(
              [...selector.path, 'matchPIDs', index, 'followForks'],
              'the tree of process 1, on a kind node',
              'write followForks: false, which means the first process of a container and none below it',
            )
    },
  },
  {
    id: 'macro-missing',
    level: 'error',
    why: 'A macro is looked up in spec.selectorsMacros, and the agent refuses a policy where it is not found.',
    check(policy, report) {
      const macros = new Set(Object.keys((policy.spec.selectorsMacros ?? {}) as object))
      for (const { selector } of selectorsOf(policy))
        for (const [index, macro] of (Array.isArray(selector.spec.macros) ? selector.spec.macros : []).entries())
          if (!macros.has(String(macro)))
            report([...selector.path, 'macros', index], `no macro ${macro}`, 'add it to spec.selectorsMacros')
    },
  },
]
