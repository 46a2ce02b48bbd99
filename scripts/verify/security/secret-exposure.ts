import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { namespaces } from '../../../shared/names.ts'
import { grafanaPassword } from '../../../shared/secrets.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { shownStackPath, stackDir, stackPath } from '../../../shared/stack.ts'
import { type ClusterAccess, kubectl } from '../../cluster/kubectl.ts'
import type { Context } from '../../context/context.ts'
import { checksOf, type VerifyCheck } from '../verify-check.ts'

// Searches for each secret by its text. It may be in its own file and in a Secret of the cluster, and nowhere else.

/** A secret of the lab. */
export interface Secret {
  name: string
  /** The only file in `.lab` that may contain it. */
  file: string
  /** Every form in which it may appear. */
  texts: string[]
}

/**
 * Returns the secrets that the lab has made. A password that the user chose may be a common word, so it is not
 * included.
 */
export function labSecrets(settings: Settings): Secret[] {
  const { grafana, cluster } = settings
  const secrets: Secret[] = []
  if (!grafana.password && !grafana.adminSecret) {
    const password = grafanaPassword(settings)
    const texts = [password, base64(password), base64(`${grafana.user}:${password}`)]
    secrets.push({ name: 'the password of Grafana', file: 'grafana-password', texts })
  }
  const passphrase = readLabFile('passphrase')
  if (passphrase) secrets.push({ name: "the passphrase of Pulumi's secrets", file: 'passphrase', texts: [passphrase] })
  const key = cluster.mode === 'create' && clientKey(readLabFile('kubeconfig'))
  if (key) {
    // The first line of PEM is the same for every key.
    const [, firstLineOfKey] = Buffer.from(key, 'base64').toString('utf8').split('\n')
    secrets.push({ name: 'the key to the cluster', file: 'kubeconfig', texts: [key, firstLineOfKey!] })
  }
  return secrets
}

function readLabFile(name: string): string | undefined {
  try {
    return readFileSync(stackPath(name), 'utf8').trim()
  } catch {
    return undefined
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

function clientKey(kubeconfig = ''): string | undefined {
  const config = parse(kubeconfig) as { users?: { user: { 'client-key-data'?: string } }[] } | null
  return config?.users?.[0]?.user['client-key-data']
}

/** Returns whether a text contains a secret in any form. */
export const containsSecret = (text: string, { texts }: Secret): boolean => texts.some(secret => text.includes(secret))

/** Returns a file, or the files in a folder, also those whose names begin with a dot. */
function filesBelow(dir: string, name: string): string[] {
  try {
    if (!statSync(join(dir, name)).isDirectory()) return [name]
    return readdirSync(join(dir, name), { recursive: true, encoding: 'utf8' }).map(path => join(name, path))
  } catch {
    // It was deleted in the meantime.
    return []
  }
}

/** Folders of `.lab` with downloads, which are as their publishers made them. */
const downloads = /^(tools|charts|pulumi|cache|bundles)$/

/** Returns the files of `.lab` that contain a secret, except its own file and downloads. */
export function filesWithSecret(secret: Secret, dir = stackDir()): string[] {
  const folders = readdirSync(dir).filter(name => !downloads.test(name))
  return folders
    .flatMap(name => filesBelow(dir, name))
    .filter(path => {
      const file = join(dir, path)
      try {
        return path !== secret.file && statSync(file).isFile() && containsSecret(readFileSync(file, 'latin1'), secret)
      } catch {
        // The file was deleted in the meantime.
        return false
      }
    })
}

/**
 * Returns the processes of this machine that show a secret in their arguments or environment. Processes in containers
 * are not included. Works only on Linux, and without root only for processes of the same user.
 */
export function processesWithSecret(secrets: Secret[]): string[] {
  const ownNamespace = readlinkSync('/proc/self/ns/pid')
  const found: string[] = []
  for (const id of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    try {
      if (readlinkSync(`/proc/${id}/ns/pid`) !== ownNamespace) continue
      for (const file of ['cmdline', 'environ']) {
        const text = readFileSync(`/proc/${id}/${file}`, 'latin1')
        for (const secret of secrets)
          if (containsSecret(text, secret)) found.push(`${secret.name} in the ${file} of process ${id}`)
      }
    } catch {
      // The process belongs to another user, or has ended in the meantime.
    }
  }
  return found
}

const { ok, fail, skip } = checksOf('secrets')

/**
 * Checks that no secret is in another file, in the cluster outside of a Secret, or in the arguments or environment of a
 * process.
 */
export async function verifySecrets(context: Context): Promise<VerifyCheck[]> {
  const { settings } = context
  const secrets = labSecrets(settings)
  const objects = await readObjects(context)
  return [
    ...secrets.flatMap(secret => [judgeFiles(secret), judgeObjects(secret, objects)]),
    ...(settings.grafana.adminSecret
      ? [skip('the password of Grafana', 'grafana.adminSecret names the Secret that has it')]
      : []),
    ...(settings.grafana.password
      ? [skip('the password of Grafana', 'you chose it (grafana.password): it is in Pulumi.dev.yaml, as you wrote it')]
      : []),
    verifyProcesses(secrets),
  ]
}

function judgeFiles(secret: Secret): VerifyCheck {
  const { name, file } = secret
  const others = filesWithSecret(secret)
  if (others.length === 0) return ok(name, `in ${shownStackPath(file)}, and in no log, state or other file of .lab`)
  return fail(name, {
    found: `also in ${others.map(shownStackPath).join(', ')}`,
    expected: `only in ${shownStackPath(file)}`,
    next: `grep -rl "$(cat ${shownStackPath(file)})" .lab`,
  })
}

/** Kinds of objects that can show a secret. Kubernetes also writes values into events. */
const objectKinds = ['pods', 'events', 'configmaps', 'deployments', 'daemonsets', 'statefulsets']

const readObjects = (access: ClusterAccess): Promise<string[]> =>
  Promise.all(
    Object.values(namespaces).map(namespace =>
      kubectl(access, ['get', objectKinds.join(','), '-n', namespace, '-o', 'yaml']),
    ),
  )

function judgeObjects(secret: Secret, objects: string[]): VerifyCheck {
  const title = `${secret.name}, in the cluster`
  const kinds = objectKinds.join(', ')
  if (!objects.some(text => containsSecret(text, secret))) return ok(title, `in no ${kinds}`)
  return fail(title, {
    found: `in one of ${kinds}`,
    expected: 'only in a Secret',
    next: './lab kubectl get pods,events -A -o yaml',
  })
}

function verifyProcesses(secrets: Secret[]): VerifyCheck {
  const title = 'arguments and environments'
  if (process.platform !== 'linux') return skip(title, 'only Linux shows those of other processes in /proc')
  const found = processesWithSecret(secrets)
  return found.length === 0
    ? ok(title, 'no process of this machine shows a secret')
    : fail(title, { found: found.join(', '), expected: 'only in a file', next: 'ps -ef' })
}

/** Checks that only the owner can read the files that contain secrets. */
export function verifySecretFiles(settings: Settings): VerifyCheck[] {
  const { ok, fail } = checksOf('files')
  const files = [
    'passphrase',
    ...(settings.cluster.mode === 'create' ? ['kubeconfig'] : []),
    ...(settings.grafana.password || settings.grafana.adminSecret ? [] : ['grafana-password']),
  ]
  return files.map(file => {
    const mode = (statSync(stackPath(file)).mode & 0o777).toString(8)
    return mode === '600'
      ? ok(shownStackPath(file), 'mode 600')
      : fail(shownStackPath(file), {
          found: `mode ${mode}`,
          expected: 'mode 600',
          next: `chmod 600 ${stackPath(file)}`,
        })
  })
}
