import { nearest } from '../../../shared/validation/schema-errors.ts'
import { isMapping } from '../../../shared/validation/yaml-source.ts'
import { isFiltered, selectorsOf } from '../model/policy-model.ts'
import type { Rule } from './rule.ts'

// Selectors: their limits, and the filters on namespaces, capabilities and process ids.

const mappings = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter(isMapping) : [])
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

const namespaceTypes = new Set('uts ipc mnt pid pidforchildren net time timeforchildren cgroup user'.split(' '))

/** Capabilities by Tetragon's names, in the order of their numbers. */
const capabilities =
  `CAP_CHOWN DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP
  CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER
  CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE
  CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP
  CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF
  CAP_CHECKPOINT_RESTORE`.split(/\s+/)

export const selectorRules: Rule[] = [
  {
    id: 'too-many-selectors',
    level: 'error',
    why: 'A hook can have 5 selectors, and the agent refuses more.',
    check(policy, report) {
      for (const { path, name, selectors } of policy.hooks)
        if (selectors.length > 5)
          report(
            [...path, 'selectors', 5],
            `${name} has ${selectors.length} selectors`,
            'Combine values in one selector, or write a second policy',
          )
    },
  },
  {
    id: 'unreachable-selector',
    level: 'error',
    why: 'The first matching selector decides, and the agent ignores the rest. A selector without a filter always matches.',
    check(policy, report) {
      for (const { name, selectors } of policy.hooks) {
        const unfiltered = selectors.findIndex(selector => !isFiltered(selector))
        const next = unfiltered < 0 ? undefined : selectors[unfiltered + 1]
        if (next)
          report(
            next.path,
            `A selector of ${name} comes after one that matches everything`,
            `Move selectors[${unfiltered}] to the end, or give it a filter`,
          )
      }
    },
  },
  {
    id: 'too-many-filters',
    level: 'error',
    why: 'A selector can have 5 filters on arguments and data, and 10 on namespaces with 4 values each. The agent refuses more.',
    check(policy, report) {
      for (const { hook, selector } of selectorsOf(policy)) {
        const filters = selector.args.filter(({ list }) => list !== 'matchReturnArgs')
        if (filters.length > 5)
          report(filters[5]!.path, `A selector of ${hook.name} has ${filters.length} filters`, 'Keep 5 of them')
        const namespaces = mappings(selector.spec.matchNamespaces)
        if (namespaces.length > 10)
          report(
            [...selector.path, 'matchNamespaces', 10],
            `matchNamespaces has ${namespaces.length} entries`,
            'Keep 10 of them',
          )
        for (const [index, { values }] of namespaces.entries())
          if (listOf(values).length > 4)
            report(
              [...selector.path, 'matchNamespaces', index, 'values'],
              `A namespace has ${listOf(values).length} values`,
              'Keep 4 of them',
            )
        if (mappings(selector.spec.matchNamespaceChanges).length > 1)
          report(
            [...selector.path, 'matchNamespaceChanges', 1],
            'matchNamespaceChanges has more than one entry',
            'Put all namespaces into the values of one',
          )
      }
    },
  },
  {
    id: 'namespace-value',
    level: 'error',
    why: 'A Linux namespace is given by its inode, or as host_ns. It is not a Kubernetes namespace.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const [index, { values }] of mappings(selector.spec.matchNamespaces).entries())
          for (const [position, value] of listOf(values).entries())
            if (value !== 'host_ns' && !/^\d+$/.test(String(value)))
              report(
                [...selector.path, 'matchNamespaces', index, 'values', position],
                `${JSON.stringify(value)} is not the inode of a Linux namespace`,
                'Write "host_ns" or the inode. For a Kubernetes namespace, write a TracingPolicyNamespaced',
              )
      for (const { selector } of selectorsOf(policy))
        for (const [index, { values }] of mappings(selector.spec.matchNamespaceChanges).entries())
          for (const [position, value] of listOf(values).entries())
            if (!namespaceTypes.has(String(value).toLowerCase()))
              report(
                [...selector.path, 'matchNamespaceChanges', index, 'values', position],
                `${JSON.stringify(value)} is not a namespace type`,
                'Write one of Mnt, Pid, Net, User, Uts, Ipc, Cgroup, Time',
              )
    },
  },
  {
    id: 'capability',
    level: 'error',
    why: "Capabilities have the kernel's names, except CAP_DAC_OVERRIDE, which Tetragon calls DAC_OVERRIDE. The agent refuses other names.",
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const key of ['matchCapabilities', 'matchCapabilityChanges'])
          for (const [index, { values }] of mappings(selector.spec[key]).entries())
            for (const [position, value] of listOf(values).entries()) {
              const name = String(value).trim().toUpperCase()
              if (capabilities.includes(name)) continue
              const variants = [name.replace(/^CAP_/, ''), `CAP_${name}`]
              const near = variants.find(variant => capabilities.includes(variant)) ?? nearest(name, capabilities)
              report(
                [...selector.path, key, index, 'values', position],
                `${JSON.stringify(value)} is not a capability`,
                near ? `Write ${near}` : 'Write a name such as CAP_SYS_ADMIN',
              )
            }
    },
  },
  {
    id: 'host-namespace',
    level: 'warn',
    why: 'host_ns is the namespace of process 1 on the machine. On a kind node the kubelet, containerd and the control plane run inside the node container, so they do not match host_ns.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const [index, { values }] of mappings(selector.spec.matchNamespaces).entries())
          if (listOf(values).includes('host_ns'))
            report(
              [...selector.path, 'matchNamespaces', index],
              'matchNamespaces uses host_ns to identify the host',
              'Write podSelector: {} under spec, which selects all pods and nothing else',
            )
    },
  },
  {
    id: 'init-tree',
    level: 'warn',
    why: 'followForks checks up to 9 ancestors. A kind node is itself a container whose systemd is process 1, and all containers descend from it. NotIn 1 then excludes everything.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const [index, pids] of mappings(selector.spec.matchPIDs).entries())
          if (pids.isNamespacePID === true && pids.followForks === true && listOf(pids.values).includes(1))
            report(
              [...selector.path, 'matchPIDs', index, 'followForks'],
              'followForks from process 1 includes every container on a kind node',
              'Write followForks: false, which means only the first process of a container',
            )
    },
  },
  {
    id: 'macro-missing',
    level: 'error',
    why: 'The agent looks up macros in spec.selectorsMacros, and refuses a policy if one is missing.',
    check(policy, report) {
      const macros = new Set(Object.keys((policy.spec.selectorsMacros ?? {}) as object))
      for (const { selector } of selectorsOf(policy))
        for (const [index, macro] of listOf(selector.spec.macros).entries())
          if (!macros.has(String(macro)))
            report(
              [...selector.path, 'macros', index],
              `The macro ${macro} does not exist`,
              'Add it to spec.selectorsMacros',
            )
    },
  },
]
