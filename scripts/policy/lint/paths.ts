import { type ArgumentFilter, isSyscallName } from '../model/policy-model.ts'
import { filtersOf, isResolvedPath } from './arguments.ts'
import type { Rule } from './rule.ts'

// Paths: the kernel compares where a file is, a policy says where one thinks it is.

const compares = /^(Not)?(Equal|Prefix)$/

const tokenFile = /\/run\/secrets\/kubernetes\.io\/serviceaccount\/(token|ca\.crt|namespace)$/

/** Folders that are links in most images; the real place is what the kernel compares. */
const linkedFolders: [link: string, real: string][] = [
  ['/var/run/', '/run/'],
  ['/var/lock/', '/run/lock/'],
  ['/bin/', '/usr/bin/'],
  ['/sbin/', '/usr/sbin/'],
  ['/lib/', '/usr/lib/'],
  ['/lib64/', '/usr/lib64/'],
]

/** Files that are links in most images. */
const linkedFiles: Record<string, string> = {
  '/etc/os-release': '/usr/lib/os-release',
  '/etc/localtime': '/usr/share/zoneinfo/…',
}
/** Files that are links to what belongs to the process, and so are called otherwise for each. */
const ownFiles: [link: RegExp, real: string][] = [
  [/^\/proc\/(self|thread-self)(\/|$)/, '/proc/NUMBER, after the process'],
  [/^(\/etc\/mtab|\/proc\/mounts)$/, '/proc/NUMBER/mounts, after the process'],
  [/^\/proc\/net(\/|$)/, '/proc/NUMBER/net, after the process'],
  [/^\/dev\/(stdin|stdout|stderr|fd)(\/|$)/, 'whatever the process has there'],
]

/** Folders that policies are known to name as if they were files. */
const folders = new Set(
  `/etc /root /home /proc /sys /tmp /var /var/log /var/lib /var/run /run /etc/kubernetes /etc/kubernetes/pki
  /etc/kubernetes/manifests /etc/ssh /etc/ssl /etc/ssl/private /etc/cron.d /etc/pam.d /etc/sudoers.d /root/.ssh
  /var/lib/kubelet /var/lib/etcd /run/secrets /run/secrets/kubernetes.io/serviceaccount
  /var/run/secrets/kubernetes.io/serviceaccount`.split(/\s+/),
)

const at = (filter: ArgumentFilter, index: number) => [...filter.path, 'values', index]

export const pathRules: Rule[] = [
  {
    id: 'token-path',
    level: 'error',
    why: 'The files of a service account are links into a folder that is named anew at each rotation, as in /run/secrets/kubernetes.io/serviceaccount/..2026_11_21_09_27_25.3627401750/token. The kernel compares that, so the plain name is never equal.',
    check(policy, report) {
      for (const { filter } of filtersOf(policy))
        if (isResolvedPath(filter.argument) && compares.test(filter.operator))
          for (const [index, value] of filter.values.entries())
            if (tokenFile.test(value))
              report(
                at(filter, index),
                `${value} as a path of the kernel`,
                'write operator: Prefix and the folder /run/secrets/kubernetes.io/serviceaccount; for the token alone add {operator: Postfix, values: [/token]}',
              )
    },
  },
  {
    id: 'linked-path',
    level: 'warn',
    why: 'The kernel compares the path with links followed. /var/run is a link to /run in most images, and /bin to /usr/bin in Debian ones, so a path through them matches in some images and not in others.',
    check(policy, report) {
      for (const { filter } of filtersOf(policy)) {
        if (!isResolvedPath(filter.argument) || !compares.test(filter.operator)) continue
        for (const [index, value] of filter.values.entries()) {
          if (tokenFile.test(value) || value.startsWith('/bin/busybox')) continue
          const own = ownFiles.find(([link]) => link.test(value))
          if (own) {
            const end = /\/[^/]+$/.exec(value)?.[0]
            report(
              at(filter, index),
              `${value} is a link to ${own[1]}`,
              value.startsWith('/dev/')
                ? 'hook what is done with it, not its name'
                : `write operator: Postfix and ${end}`,
            )
            continue
          }
          const file = linkedFiles[value]
          if (file && !filter.values.includes(file))
            report(at(filter, index), `${value} is a link to ${file} in most images`, `name both, ${value} and ${file}`)
          const linked = linkedFolders.find(([link]) => `${value}/`.startsWith(link))
          if (!linked) continue
          const real = `${value}/`.replace(linked[0], linked[1]).slice(0, -1)
          if (!filter.values.includes(real))
            report(at(filter, index), `${value} without ${real}`, `name both, ${value} and ${real}`)
        }
      }
    },
  },
  {
    id: 'relative-path',
    level: 'error',
    why: 'A path of the kernel, and of a binary, starts at the root of the process. Anything that does not start with / is never equal.',
    check(policy, report) {
      const relative = (value: string): boolean => !value.startsWith('/')
      for (const { filter } of filtersOf(policy))
        if (isResolvedPath(filter.argument) && filter.argument?.type !== 'fd' && compares.test(filter.operator))
          for (const [index, value] of filter.values.entries())
            if (relative(value))
              report(
                at(filter, index),
                `${JSON.stringify(value)} is no whole path`,
                'write the whole path, or operator: Postfix',
              )
      for (const { selectors } of policy.hooks)
        for (const { binaries, parentBinaries } of selectors)
          for (const { path, operator, values } of [...binaries, ...parentBinaries])
            if (/^(Not)?(In|Prefix)$/.test(operator))
              for (const [index, value] of values.entries())
                if (relative(value))
                  report(
                    [...path, 'values', index],
                    `${JSON.stringify(value)} is no whole path`,
                    'write the whole path, or operator: Postfix',
                  )
    },
  },
  {
    id: 'folder-equal',
    level: 'warn',
    why: 'Equal compares the whole path, so the name of a folder means the folder and none of the files in it. Prefix means both.',
    check(policy, report) {
      for (const { filter } of filtersOf(policy))
        if (isResolvedPath(filter.argument) && /Equal$/.test(filter.operator))
          for (const [index, value] of filter.values.entries())
            if (value.endsWith('/') || folders.has(value))
              report(
                at(filter, index),
                `${value} is a folder`,
                `write operator: ${filter.operator.replace('Equal', 'Prefix')}${value.endsWith('/') ? '' : `, or ${value}/ to mean only what is in it`}`,
              )
    },
  },
  {
    id: 'path-by-name',
    level: 'warn',
    why: 'The argument of a system call is the name that the program wrote: a relative path, another link, or a second thread that changes it after the look passes by. A security_ hook sees the file itself.',
    check(policy, report) {
      for (const { hook, filter } of filtersOf(policy)) {
        const selector = hook.selectors.find(({ args }) => args.includes(filter))
        const acts = selector?.actions.some(({ action }) => /^(Sigkill|Signal|Override)$/.test(action))
        const name = filter.argument?.type === 'string' && isSyscallName(hook.name)
        if (
          acts &&
          name &&
          /^(Not)?(Equal|Prefix|Postfix)$/.test(filter.operator) &&
          filter.values.some(value => value.startsWith('/'))
        )
          report(
            filter.path,
            `${hook.name} is judged by the name it was given`,
            'hook security_file_open with an argument of type file (security_bprm_check with linux_binprm for programs)',
          )
      }
    },
  },
]
