import type { Path } from '../../../../shared/validation/yaml-source.ts'
import { isResolvedPath } from '../../model/argument-types.ts'
import { isSyscallName } from '../../model/kernel-names.ts'
import {
  type ArgumentFilter,
  argumentFiltersOf,
  type Filter,
  type Policy,
  selectorsOf,
} from '../../model/policy-model.ts'
import { securityFunctionsOf } from '../../model/security-hooks.ts'
import type { Rule } from '../rule.ts'

// Paths in filters. The kernel compares where a file really is, which is often not the path that people know.

const comparesWholePath = /^(Not)?(Equal|Prefix)$/

const tokenFile = /\/run\/secrets\/kubernetes\.io\/serviceaccount\/(token|ca\.crt|namespace)$/

/** Folders that are links in most images, with their targets. */
const linkedFolders: [link: string, target: string][] = [
  ['/var/run/', '/run/'],
  ['/var/lock/', '/run/lock/'],
  ['/bin/', '/usr/bin/'],
  ['/sbin/', '/usr/sbin/'],
  ['/lib/', '/usr/lib/'],
  ['/lib64/', '/usr/lib64/'],
]

/** Files that are links in most images, with their targets. */
const linkedFiles: Record<string, string> = {
  '/etc/os-release': '/usr/lib/os-release',
  '/etc/localtime': '/usr/share/zoneinfo/…',
}

/** Links to files of the process itself, whose target differs for every process. */
const perProcessLinks: [link: RegExp, target: string][] = [
  [/^\/proc\/(self|thread-self)(\/|$)/, '/proc/PID of the process'],
  [/^(\/etc\/mtab|\/proc\/mounts)$/, '/proc/PID/mounts of the process'],
  [/^\/proc\/net(\/|$)/, '/proc/PID/net of the process'],
  [/^\/dev\/(stdin|stdout|stderr|fd)(\/|$)/, 'whatever the process has open there'],
]

/** Folders that policies often name as if they were files. */
const folders = new Set(
  `/etc /root /home /proc /sys /tmp /var /var/log /var/lib /var/run /run /etc/kubernetes /etc/kubernetes/pki
  /etc/kubernetes/manifests /etc/ssh /etc/ssl /etc/ssl/private /etc/cron.d /etc/pam.d /etc/sudoers.d /root/.ssh
  /var/lib/kubelet /var/lib/etcd /run/secrets /run/secrets/kubernetes.io/serviceaccount
  /var/run/secrets/kubernetes.io/serviceaccount`.split(/\s+/),
)

interface FilterValue {
  filter: ArgumentFilter
  value: string
  path: Path
}

/** Returns the values that the kernel compares with a resolved path by one of these operators. */
const resolvedPathValues = (policy: Policy, operators: RegExp): FilterValue[] =>
  argumentFiltersOf(policy)
    .map(({ filter }) => filter)
    .filter(({ argument, operator }) => isResolvedPath(argument) && operators.test(operator))
    .flatMap(filter =>
      filter.values.map((value, index) => ({ filter, value, path: [...filter.path, 'values', index] })),
    )

export const pathRules: Rule[] = [
  {
    id: 'token-path',
    level: 'error',
    why: 'The files of a service account are links into a folder whose name changes with every rotation, as in /run/secrets/kubernetes.io/serviceaccount/..2026_11_21_09_27_25.3627401750/token. The kernel compares that path, so the plain path never matches.',
    check(policy, report) {
      for (const { value, path } of resolvedPathValues(policy, comparesWholePath))
        if (tokenFile.test(value))
          report(
            path,
            `The kernel never sees the path ${value}, because it is a link`,
            'Write operator: Prefix and the folder /run/secrets/kubernetes.io/serviceaccount. For the token alone, add {operator: Postfix, values: [/token]}',
          )
    },
  },
  {
    id: 'linked-path',
    level: 'warn',
    why: 'The kernel compares the path with links followed. In most images /var/run is a link to /run, and in Debian images /bin is a link to /usr/bin. A path through them matches in some images only.',
    check(policy, report) {
      for (const { filter, value, path } of resolvedPathValues(policy, comparesWholePath))
        if (!tokenFile.test(value) && !value.startsWith('/bin/busybox'))
          for (const { message, fix } of linkProblems(value, filter.values)) report(path, message, fix)
    },
  },
  {
    id: 'relative-path',
    level: 'error',
    why: 'The kernel compares paths from the root of the process, for files and for binaries. A value without a leading / never matches.',
    check(policy, report) {
      const checkFilter = ({ path, values }: Filter): void => {
        const relative = values.filter(value => !value.startsWith('/'))
        if (relative.length === 0) return
        const [first] = relative.map(value => JSON.stringify(value))
        // Next to absolute paths, the filter as a whole still works.
        const level = relative.length === values.length ? 'error' : 'warn'
        report(
          [...path, 'values', values.indexOf(relative[0]!)],
          relative.length === 1
            ? `${first} is not an absolute path`
            : `${first} and ${relative.length - 1} more ${relative.length === 2 ? 'value' : 'values'} are not absolute paths`,
          relative.length === 1
            ? 'Write the absolute path, or operator: Postfix'
            : 'Write absolute paths, or move them to a selector with operator: Postfix',
          level,
        )
      }
      for (const { filter } of argumentFiltersOf(policy))
        if (
          isResolvedPath(filter.argument) &&
          filter.argument?.type !== 'fd' &&
          comparesWholePath.test(filter.operator)
        )
          checkFilter(filter)
      for (const { selector } of selectorsOf(policy))
        for (const filter of [...selector.binaries, ...selector.parentBinaries])
          if (/^(Not)?(In|Prefix)$/.test(filter.operator)) checkFilter(filter)
    },
  },
  {
    id: 'folder-equal',
    level: 'warn',
    why: 'Equal compares the whole path, so the path of a folder matches the folder but not the files in it. Prefix matches both.',
    check(policy, report) {
      for (const { filter, value, path } of resolvedPathValues(policy, /Equal$/))
        if (value.endsWith('/') || folders.has(value))
          report(
            path,
            `${value} is a folder`,
            `Write operator: ${filter.operator.replace('Equal', 'Prefix')}${value.endsWith('/') ? '' : `, or ${value}/ for its content only`}`,
          )
    },
  },
  {
    id: 'path-by-name',
    level: 'warn',
    why: 'The argument of a system call is the name that the program passed. A relative path, another link, or a second thread that changes it after the check can bypass the filter. A security_ hook sees the file itself.',
    check(policy, report) {
      for (const { hook, selector, filter } of argumentFiltersOf(policy)) {
        const isEnforced = selector.actions.some(({ action }) => /^(Sigkill|Signal|Override)$/.test(action))
        const isName = filter.argument?.type === 'string' && isSyscallName(hook.name)
        const isPath =
          /^(Not)?(Equal|Prefix|Postfix)$/.test(filter.operator) && filter.values.some(value => value.startsWith('/'))
        if (isEnforced && isName && isPath)
          report(
            filter.path,
            `${hook.name} compares the name that the program passed, not the file`,
            seeTheFile(hook.name),
          )
      }
    },
  },
]

const fileTypes: Record<string, string> = { security_file_open: 'file', security_bprm_check: 'linux_binprm' }

/** Returns how to compare the file instead of the name that a system call was given. */
function seeTheFile(syscall: string): string {
  const functions = securityFunctionsOf(syscall)
  if (functions.length === 0) return 'Hook a security_ function that the call passes'
  const type = fileTypes[functions[0]!]
  return `Hook ${functions.join(' or ')}${type ? ` with an argument of type ${type}` : ''}`
}

/** Returns what is wrong with a path through a link, unless the other values name its target. */
function linkProblems(path: string, allPaths: string[]): { message: string; fix: string }[] {
  const perProcess = perProcessLinks.find(([link]) => link.test(path))
  if (perProcess)
    return [
      {
        message: `${path} is a link to ${perProcess[1]}`,
        fix: path.startsWith('/dev/')
          ? 'Hook the operation on the file, not its name'
          : `Write operator: Postfix and ${/\/[^/]+$/.exec(path)?.[0]}`,
      },
    ]
  const targets = [linkedFiles[path], throughLinkedFolder(path)].filter(target => target !== undefined)
  return targets
    .filter(target => !allPaths.includes(target))
    .map(target => ({
      message: `${path} is ${target} in most images`,
      fix: `Name both, ${path} and ${target}`,
    }))
}

function throughLinkedFolder(path: string): string | undefined {
  const linked = linkedFolders.find(([link]) => `${path}/`.startsWith(link))
  return linked && `${path}/`.replace(linked[0], linked[1]).slice(0, -1)
}
