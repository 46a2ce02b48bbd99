import { globSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { namespaces } from '../../shared/names.ts'
import { labDir } from '../../shared/paths.ts'
import { grafanaPassword } from '../../shared/secrets.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { kubectl } from '../cluster/kubectl.ts'
import { fail, ok, skip, type VerifyCheck } from './verify-check.ts'

// What is secret is in its own file and nowhere else: not in a log, not in the state, not among the arguments or in the environment of a program on
// this machine, and in the cluster in a Secret alone. Looked for by its very text.

const area = 'secrets'

/** A secret, and every way in which its text may turn up. */
export interface Secret {
  name: string
  /** The file that may hold it. */
  file: string
  texts: string[]
}

/** What this lab keeps to itself. What the user has chosen as a password may be a word that turns up anywhere, and is not looked for. */
export function labSecrets(settings: Settings): Secret[] {
  const read = (file: string): string | undefined => {
    try {
      return readFileSync(join(labDir(), file), 'utf8').trim()
    } catch {
      return undefined
    }
  }
  const secrets: Secret[] = []
  if (!settings.grafana.password) {
    const password = grafanaPassword(settings)
    const signIn = Buffer.from(`${settings.grafana.user}:${password}`).toString('base64')
    const name = 'the password of Grafana'
    secrets.push({ name, file: 'grafana-password', texts: [password, base64(password), signIn] })
  }
  const passphrase = read('passphrase')
  if (passphrase) secrets.push({ name: "the passphrase of Pulumi's secrets", file: 'passphrase', texts: [passphrase] })
  const key = settings.cluster.mode === 'create' && clientKey(read('kubeconfig'))
  if (key) {
    const text = Buffer.from(key, 'base64').toString('utf8')
    // A line of the key itself, without those around it that say what it is.
    secrets.push({ name: 'the key to the cluster', file: 'kubeconfig', texts: [key, text.split('\n')[1]!] })
  }
  return secrets
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

const clientKey = (kubeconfig = ''): string | undefined =>
  (parse(kubeconfig) as { users?: { user: { 'client-key-data'?: string } }[] } | null)?.users?.[0]?.user[
    'client-key-data'
  ]

/** Whether a text gives a secret away. */
export const holds = (text: string, { texts }: Secret): boolean => texts.some(each => text.includes(each))

/** Files of `.lab` besides its own that hold a secret. What was fetched, and what a cache keeps, is as its publisher made it. */
export function filesThatHold(secret: Secret, dir = labDir()): string[] {
  return globSync('**/*', { cwd: dir, exclude: path => /^(tools|charts|pulumi|cache|bundles)$/.test(path) }).filter(
    path => {
      const file = join(dir, path)
      try {
        return path !== secret.file && statSync(file).isFile() && holds(readFileSync(file, 'latin1'), secret)
      } catch {
        // Gone meanwhile.
        return false
      }
    },
  )
}

/**
 * Programs of this machine that show a secret in their arguments or their environment, as `ps` would. Programs in containers are not of this machine:
 * they have a list of processes of their own. Only those of one's own user can be looked into, or all by root. Linux only.
 */
export function programsThatShow(secrets: Secret[]): string[] {
  const own = readlinkSync('/proc/self/ns/pid')
  const found: string[] = []
  for (const id of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    try {
      if (readlinkSync(`/proc/${id}/ns/pid`) !== own) continue
      for (const part of ['cmdline', 'environ']) {
        const text = readFileSync(`/proc/${id}/${part}`, 'latin1')
        for (const secret of secrets)
          if (holds(text, secret)) found.push(`${secret.name} in the ${part} of process ${id}`)
      }
    } catch {
      // Another user's, or gone meanwhile.
    }
  }
  return found
}

/** Each secret, looked for where it must not be. */
export async function verifySecrets(settings: Settings): Promise<VerifyCheck[]> {
  const secrets = labSecrets(settings)
  // Everything but Secrets that Kubernetes shows of the lab: also what it wrote into events.
  const kinds = ['pods', 'events', 'configmaps', 'deployments', 'daemonsets', 'statefulsets']
  const shown = await Promise.all(
    Object.values(namespaces).map(namespace => kubectl(['get', kinds.join(','), '-n', namespace, '-o', 'yaml'])),
  )
  const shows = process.platform === 'linux' ? programsThatShow(secrets) : undefined
  return [
    ...secrets.flatMap(secret => {
      const files = filesThatHold(secret)
      const inCluster = shown.some(text => holds(text, secret))
      return [
        files.length === 0
          ? ok(area, secret.name, `in .lab/${secret.file}, and in no log, state or other file of .lab`)
          : fail(
              area,
              secret.name,
              `also in ${files.map(file => `.lab/${file}`).join(', ')}`,
              `in .lab/${secret.file} alone`,
              `grep -rl "$(cat .lab/${secret.file})" .lab`,
            ),
        inCluster
          ? fail(
              area,
              `${secret.name}, in the cluster`,
              `in one of ${kinds.join(', ')}`,
              'in a Secret alone',
              './lab kubectl get pods,events -A -o yaml',
            )
          : ok(area, `${secret.name}, in the cluster`, `in no ${kinds.join(', ')}`),
      ]
    }),
    ...(settings.grafana.password
      ? [
          skip(
            area,
            'the password of Grafana',
            'it is yours (grafana.password): it stands in Pulumi.dev.yaml, as you wrote it',
          ),
        ]
      : []),
    shows === undefined
      ? skip(area, 'arguments and environments', 'only Linux shows those of other programs in /proc')
      : shows.length === 0
        ? ok(area, 'arguments and environments', 'no program of this machine shows one')
        : fail(area, 'arguments and environments', shows.join(', '), 'in a file alone', 'ps -ef'),
  ]
}
