import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { kubectl, kubectlJson } from './cluster.ts'
import { lab, labOutput, outputFile } from './production-lab.ts'
import { requireNote, runFolder } from './run.ts'
import type { S3Credentials } from './s3-server.ts'

// Searches for the secrets of the run by their text: the key to the bucket, the password of Grafana, and what protects
// Pulumi's state.

const folder = join(runFolder, 'checkout', '.lab', 'stacks', 'production')

/** The secrets by name, in every form in which they may appear. */
function secretForms(): Record<string, string[]> {
  const { secretKey } = requireNote<S3Credentials>('s3', 'cluster')
  const { password } = requireNote<{ password: string }>('grafana', 'cluster')
  const passphraseFile = join(folder, 'passphrase')
  const passphrase = existsSync(passphraseFile) ? [readFileSync(passphraseFile, 'utf8').trim()] : []
  const forms = (secret: string): string[] => [secret, Buffer.from(secret).toString('base64')]
  return {
    'the key to the bucket': forms(secretKey),
    'the password of Grafana': forms(password),
    "the passphrase of Pulumi's state": passphrase,
  }
}

/** Returns the places in which a secret appears, except its own Secret and file. */
export async function secretLeaks(): Promise<string[]> {
  const places = new Map<string, string>()
  const objects = [
    'pods',
    'configmaps',
    'events',
    'jobs.batch',
    'statefulsets.apps',
    'daemonsets.apps',
    'deployments.apps',
  ]
  for (const kind of objects) places.set(kind, await kubectl(['get', kind, '--all-namespaces', '-o', 'yaml']))
  places.set('the values of the Helm releases', await helmReleases())
  places.set('the logs of the pods', await podLogs())
  places.set("Pulumi's state", await labOutput(['pulumi', 'stack', 'export']))
  places.set('the plan', await labOutput(['plan']))
  for (const command of ['status', 'report', 'env']) await lab([command])
  places.set('the output of the commands', readFileSync(outputFile, 'utf8'))
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    if (file !== 'passphrase' && statSync(join(folder, file)).isFile())
      places.set(`.lab/stacks/production/${file}`, readFileSync(join(folder, file), 'latin1'))
  return [...places].flatMap(([place, text]) =>
    Object.entries(secretForms())
      .filter(([, forms]) => forms.some(form => text.includes(form)))
      .map(([secret]) => `${secret}: ${place}`),
  )
}

/** Returns what Helm has stored of its releases, with the values of the charts. */
async function helmReleases(): Promise<string> {
  const { items } = await kubectlJson<{ items: { data: { release: string } }[] }>([
    ...['-n', 'monitoring', 'get', 'secrets', '-l', 'owner=helm'],
  ])
  // Helm's own Base64 inside that of the Secret.
  return items
    .map(({ data }) => gunzipSync(Buffer.from(Buffer.from(data.release, 'base64').toString(), 'base64')).toString())
    .join('\n')
}

async function podLogs(): Promise<string> {
  const pods = (await kubectl(['-n', 'monitoring', 'get', 'pods', '-o', 'name'])).split('\n').filter(Boolean)
  const logs: string[] = []
  for (const pod of pods) logs.push(await kubectl(['-n', 'monitoring', 'logs', pod, '--all-containers', '--tail=5000']))
  return logs.join('\n')
}
