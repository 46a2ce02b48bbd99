import { type Filter, type Hook, type Policy, selectorsOf } from '../../model/policy-model.ts'
import type { Rule } from '../rule.ts'

// matchBinaries and matchParentBinaries.

const binaryFiltersOf = (policy: Policy): { hook: Hook; filter: Filter }[] =>
  selectorsOf(policy).flatMap(({ hook, selector }) =>
    [...selector.binaries, ...selector.parentBinaries].map(filter => ({ hook, filter })),
  )

/** Programs that are links, with their targets, which depend on the image. */
const links: Record<string, string> = {
  '/bin/sh': '/usr/bin/dash in Debian images, /bin/busybox in Alpine images',
  '/usr/bin/sh': '/usr/bin/dash in Debian images',
  '/usr/bin/python': '/usr/bin/python3.11 or another version',
  '/usr/bin/python3': '/usr/bin/python3.11 or another version',
  '/usr/bin/awk': '/usr/bin/mawk or gawk, /bin/busybox in Alpine images',
  '/usr/bin/nc': '/usr/bin/nc.openbsd, /bin/busybox in Alpine images',
  '/usr/bin/vi': '/usr/bin/vim.basic, /bin/busybox in Alpine images',
  '/usr/bin/java': 'the java in /usr/lib/jvm',
  '/usr/bin/redis-server': '/usr/bin/redis-check-rdb in Debian images',
}

/** Programs that are all /bin/busybox in Alpine images. */
const busyboxApplets = new Set(
  'ash awk base64 cat chmod chown cp dd df du echo env find grep gunzip gzip head hostname id kill ln ls mkdir mount mv nc netstat nslookup ping ps rm sed sh sleep tail tar telnet touch top traceroute tr umount uname unzip vi wc wget which whoami xargs'.split(
    ' ',
  ),
)

/** Hooks that run before the new program replaces its caller. */
const execHook = /^(security_bprm_(check|creds|committing)|bprm_(check|creds|committing)|(__x64_|__arm64_)?sys_execve)/

export const binaryRules: Rule[] = [
  {
    id: 'one-binaries',
    level: 'error',
    why: 'A selector can have one matchBinaries and one matchParentBinaries, each with any number of values.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const [key, filters] of [
          ['matchBinaries', selector.binaries],
          ['matchParentBinaries', selector.parentBinaries],
        ] as const)
          if (filters.length > 1)
            report(
              filters[0]!.path.slice(0, -1),
              `${key} has ${filters.length} entries`,
              'Put all paths into the values of one, or write a second selector',
            )
    },
  },
  {
    id: 'follow-children',
    level: 'error',
    why: 'followChildren works with In and NotIn. The agent refuses it with other operators.',
    check(policy, report) {
      for (const { filter } of binaryFiltersOf(policy))
        if (filter.spec.followChildren === true && !['In', 'NotIn'].includes(filter.operator))
          report(
            [...filter.path, 'followChildren'],
            `followChildren does not work with ${filter.operator}`,
            'Write operator: In and full paths',
          )
    },
  },
  {
    id: 'parent-binaries',
    level: 'error',
    why: "matchParentBinaries needs the agent's flag parents-map-enabled, which is off by default and in the lab. Without it, the agent refuses the policy.",
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        if (selector.parentBinaries.length > 0)
          report(
            selector.parentBinaries[0]!.path.slice(0, -1),
            'The lab does not support matchParentBinaries',
            'Use matchBinaries with followChildren: true',
          )
    },
  },
  {
    id: 'binary-by-link',
    level: 'warn',
    why: 'matchBinaries compares the file that a process runs, with links followed. The name of a link, or of a busybox applet, never matches.',
    check(policy, report) {
      for (const { filter } of binaryFiltersOf(policy))
        if (['In', 'NotIn'].includes(filter.operator))
          for (const [index, value] of filter.values.entries()) {
            const message = linkProblem(value, filter.values)
            if (message)
              report(
                [...filter.path, 'values', index],
                message,
                'Write what `readlink -f $(command -v PROGRAM)` prints in the image, or match the name that it was started with, as the policy deny-wget does',
              )
          }
    },
  },
  {
    id: 'binary-is-caller',
    level: 'warn',
    why: 'While a program is being started, the process is still its caller. matchBinaries compares the caller, and the new program is an argument.',
    check(policy, report) {
      for (const { hook, filter } of binaryFiltersOf(policy))
        if (execHook.test(hook.name) && filter.operator === 'In' && filter.spec.followChildren !== true)
          report(
            filter.path,
            `matchBinaries on ${hook.name} compares the program that starts another`,
            'To match the new program, compare the argument. To match the caller and its children, add followChildren: true',
          )
    },
  },
]

/** Returns why a path may not be the file that the process runs. */
function linkProblem(path: string, allPaths: string[]): string | undefined {
  if (links[path]) return `${path} is a link to ${links[path]}`
  const program = path.slice(path.lastIndexOf('/') + 1)
  if (busyboxApplets.has(program) && !allPaths.includes('/bin/busybox'))
    return `In Alpine images ${program} is /bin/busybox, which ${path} does not match`
  const merged = path.startsWith('/usr/') ? path : `/usr${path}`
  if (/^\/s?bin\//.test(path) && program !== 'busybox' && !allPaths.includes(merged))
    return `${path} is ${merged} where /bin is a link to /usr/bin, as in Debian images`
  return undefined
}
