import { nearest } from '../../../../shared/validation/schema-errors.ts'
import { isMapping, type Path } from '../../../../shared/validation/yaml-source.ts'
import {
  filterLists,
  type Item,
  isEnforcing,
  isFiltered,
  macroNamesOf,
  type Policy,
  selectorsOf,
} from '../../model/policy-model.ts'
import type { Rule } from '../rule.ts'

// Selectors: their limits, and the filters on namespaces, capabilities and process ids.

/** The lists that a selector and its macros can have. */
const selectorLists = [...filterLists, 'matchActions', 'matchReturnActions']

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
        const namespaces = selector.entries('matchNamespaces')
        if (namespaces.length > 10)
          report(namespaces[10]!.path, `matchNamespaces has ${namespaces.length} entries`, 'Keep 10 of them')
        for (const { path, spec } of namespaces)
          if (listOf(spec.values).length > 4)
            report([...path, 'values'], `A namespace has ${listOf(spec.values).length} values`, 'Keep 4 of them')
        const changes = selector.entries('matchNamespaceChanges')
        if (changes.length > 1)
          report(
            changes[1]!.path,
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
      for (const { path, spec } of entriesOf(policy, 'matchNamespaces'))
        for (const [position, value] of listOf(spec.values).entries())
          if (value !== 'host_ns' && !isUint32(value))
            report(
              [...path, 'values', position],
              `${JSON.stringify(value)} is not the inode of a Linux namespace`,
              'Write "host_ns" or the inode. For a Kubernetes namespace, write a TracingPolicyNamespaced',
            )
          // The agent looks for a file of that name in /proc/1/ns, but the file is called pid_for_children.
          else if (value === 'host_ns' && /^(pid|time)forchildren$/i.test(String(spec.namespace)))
            report(
              [...path, 'values', position],
              `The agent cannot read host_ns of ${spec.namespace}`,
              `Write namespace: ${/^pid/i.test(String(spec.namespace)) ? 'Pid' : 'Time'}, or the inode`,
            )
      for (const { path, spec } of entriesOf(policy, 'matchNamespaceChanges'))
        for (const [position, value] of listOf(spec.values).entries())
          if (!namespaceTypes.has(String(value).toLowerCase()))
            report(
              [...path, 'values', position],
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
      for (const list of ['matchCapabilities', 'matchCapabilityChanges'])
        for (const { path, spec } of entriesOf(policy, list))
          for (const [position, value] of listOf(spec.values).entries()) {
            const name = String(value).trim().toUpperCase()
            if (capabilities.includes(name)) continue
            const variants = [name.replace(/^CAP_/, ''), `CAP_${name}`]
            const near = variants.find(variant => capabilities.includes(variant)) ?? nearest(name, capabilities)
            report(
              [...path, 'values', position],
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
      const found = entriesOf(policy, 'matchNamespaces').filter(({ spec }) => listOf(spec.values).includes('host_ns'))
      // A policy uses it everywhere or nowhere, so one finding is enough.
      if (found[0])
        report(
          found[0].path,
          `matchNamespaces uses host_ns to identify the host${found.length > 1 ? `, ${found.length} times` : ''}`,
          'Write podSelector: {} under spec, which selects all pods and nothing else',
        )
    },
  },
  {
    id: 'init-tree',
    level: 'warn',
    why: 'followForks checks up to 9 ancestors. A kind node is itself a container whose systemd is process 1, and all containers descend from it. NotIn 1 then excludes everything.',
    check(policy, report) {
      for (const { path, spec } of entriesOf(policy, 'matchPIDs'))
        if (spec.isNamespacePID === true && spec.followForks === true && listOf(spec.values).includes(1))
          report(
            [...path, 'followForks'],
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
      const macros = macrosOf(policy)
      for (const { selector } of selectorsOf(policy))
        for (const [index, name] of macroNamesOf(selector.spec).entries())
          if (!Object.hasOwn(macros, name))
            report(
              [...selector.path, 'macros', index],
              `The macro ${name} does not exist`,
              'Add it to spec.selectorsMacros',
            )
    },
  },
  {
    id: 'macro-conflict',
    level: 'error',
    why: 'The agent adds the lists of a macro to those of the selector. It refuses a policy in which both have the same list, and a macro that uses other macros.',
    check(policy, report) {
      const macros = macrosOf(policy)
      for (const { selector } of selectorsOf(policy)) {
        const owners = new Map(
          selectorLists.filter(list => listOf(selector.spec[list]).length > 0).map(list => [list, 'the selector']),
        )
        for (const [index, name] of macroNamesOf(selector.spec).entries()) {
          const macro = Object.hasOwn(macros, name) && isMapping(macros[name]) ? macros[name] : {}
          const path: Path = [...selector.path, 'macros', index]
          if (macroNamesOf(macro).length > 0)
            report(path, `The macro ${name} uses other macros`, 'List those macros in the selector itself')
          for (const list of selectorLists) {
            if (listOf(macro[list]).length === 0) continue
            const owner = owners.get(list)
            if (owner)
              report(
                path,
                `${list} is in the macro ${name} and in ${owner}`,
                `Keep ${list} in one of them, with the values of both`,
              )
            owners.set(list, `the macro ${name}`)
          }
        }
      }
    },
  },
  {
    id: 'macro-unused',
    level: 'warn',
    why: 'A macro does nothing until a selector names it under macros.',
    check(policy, report) {
      const used = new Set(selectorsOf(policy).flatMap(({ selector }) => macroNamesOf(selector.spec)))
      for (const name of Object.keys(macrosOf(policy)))
        if (!used.has(name))
          report(
            ['spec', 'selectorsMacros', name],
            `No selector uses the macro ${name}`,
            `Add macros: [${name}] to a selector, or remove the macro`,
          )
    },
  },
  {
    id: 'no-values',
    level: 'warn',
    why: 'A comparison without values never matches, and its opposite always does. The agent leaves out matchBinaries without values, so the selector matches every program.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy)) {
        const isEnforced = selector.actions.some(isEnforcing)
        for (const list of filterLists)
          for (const { path, spec } of selector.entries(list)) {
            if (listOf(spec.values).length > 0 || hasNoOperand(spec.operator)) continue
            const place: Path = 'values' in spec ? [...path, 'values'] : path
            if (list.endsWith('Binaries'))
              report(
                place,
                `${list} has no values, so the agent ignores it`,
                `Add paths, or remove ${list}`,
                isEnforced ? 'error' : 'warn',
              )
            else
              report(
                place,
                `${spec.operator} has no values, so it ${/^Not/.test(String(spec.operator)) ? 'always' : 'never'} matches`,
                'Add the values to compare with',
              )
          }
      }
    },
  },
]

const macrosOf = ({ spec }: Policy): Record<string, unknown> =>
  isMapping(spec.selectorsMacros) ? spec.selectorsMacros : {}

/** Returns the entries of a list in all selectors of a policy. */
const entriesOf = (policy: Policy, list: string): Item[] =>
  selectorsOf(policy).flatMap(({ selector }) => selector.entries(list))

const isUint32 = (value: unknown): boolean => /^\d+$/.test(String(value)) && Number(value) < 2 ** 32

/** Returns whether an operator compares with something other than values. */
const hasNoOperand = (operator: unknown): boolean => /Priv$|^CapabilitiesGained$/i.test(String(operator))
