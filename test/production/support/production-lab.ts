import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { parse, stringify } from 'yaml'
import { projectDir } from '../../../shared/paths.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { type CommandResult, copyDownloads, copyTrackedFiles } from '../../faults/support/checkout.ts'
import { context, kubeconfig, kubectl, network, startKubectl } from './cluster.ts'
import { eventsPerNode, runFolder, writeNote } from './run.ts'
import { bucket, endpoint, type S3Credentials } from './s3-server.ts'

// The lab in a copy of this checkout, with the settings of Pulumi.production.yaml made small enough for one machine.

const checkout = join(runFolder, 'checkout')
const settingsFile = join(checkout, 'Pulumi.production.yaml')

/** What differs from Pulumi.production.yaml: the addresses, the event source, and the size of everything. */
const changes = {
  cluster: { context, imageDigests: false, clients: { namespaces: [], networks: [network.subnet] } },
  ports: { guestbook: 28080, grafana: 23000, prometheus: 29090, loki: 23100, tetragon: 22112 },
  // The application and its policies fill their panels.
  guestbook: { enabled: true },
  // k6 would push its metrics to one of the two Prometheus servers.
  traffic: { enabled: false },
  policies: { apply: ['sensitive-file-access', 'unexpected-process-exec', 'tcp-connect', 'sys-openat'] },
  tetragon: {
    source: 'replay',
    replay: { eventsPerSecond: eventsPerNode },
    // Every event of the run stays in the files, to be compared.
    exportFile: { maxSizeMB: 50, maxBackups: 100 },
    exportRateLimit: -1,
    keepSensorsOnExit: false,
    runtimeHooks: false,
  },
  pipeline: { gateway: { storage: '2Gi', resources: { cpu: '20m', memory: '128Mi', memoryLimit: '512Mi' } } },
  loki: {
    storage: '2Gi',
    objectStorage: { endpoint, bucket, region: 'us-east-1' },
    caches: { chunksMB: 0, resultsMB: 0 },
    resources: { cpu: '50m', memory: '256Mi', memoryLimit: '1Gi' },
  },
  prometheus: {
    remoteWrite: {},
    retention: '6h',
    retentionSize: '1GB',
    storage: '2Gi',
    scrapeInterval: '15s',
    resources: { cpu: '50m', memory: '256Mi', memoryLimit: '1Gi' },
  },
  // Two need a database, and a sign-in needs a provider.
  grafana: { replicas: 1, database: {}, ingress: {}, oidc: {} },
}

/** Sections and lists that `changes` replaces as a whole. */
const replaced = new Set(['remoteWrite', 'database', 'ingress', 'oidc'])

function merge(own: Record<string, unknown>, change: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...own }
  for (const [key, value] of Object.entries(change)) {
    const isSection = typeof value === 'object' && value !== null && !Array.isArray(value) && !replaced.has(key)
    merged[key] = isSection
      ? merge((own[key] ?? {}) as Record<string, unknown>, value as Record<string, unknown>)
      : value
  }
  return merged
}

const prefix = 'tetragon-lab:'

/** Returns the sections of the settings of this test. */
function sections(): Record<string, unknown> {
  const { config } = parse(readFileSync(join(projectDir, 'Pulumi.production.yaml'), 'utf8')) as {
    config: Record<string, unknown>
  }
  return merge(
    Object.fromEntries(Object.entries(config).map(([key, value]) => [key.slice(prefix.length), value])),
    changes,
  )
}

export const testSettings = (): Settings => parseSettings(sections())

/** Copies this checkout as it is now. The settings, and what the lab has stored, stay those of the run. */
export function prepareCheckout(): void {
  copyTrackedFiles(checkout, file => file === 'Pulumi.production.yaml' && existsSync(settingsFile))
  if (!existsSync(join(checkout, 'node_modules'))) {
    symlinkSync(join(projectDir, 'node_modules'), join(checkout, 'node_modules'))
    copyDownloads(checkout)
    const config = Object.fromEntries(Object.entries(sections()).map(([key, value]) => [`${prefix}${key}`, value]))
    writeFileSync(settingsFile, stringify({ config }))
  }
}

/** The output of every command of the run, in which no secret may be. */
export const outputFile = join(runFolder, 'output.log')

/** Runs `./lab --stack production ARGS`. */
export async function lab(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  const { LAB_DIR: _, LAB_STACK: __, ...rest } = process.env as Record<string, string>
  // The path of a lock file is relative to the user's folder.
  const lock = env.LAB_LOCK ?? rest.LAB_LOCK
  const { exitCode, stdout, stderr, durationMs } = await execa('./lab', ['--stack', 'production', ...args], {
    cwd: checkout,
    env: {
      ...rest,
      ...env,
      ...(lock && { LAB_LOCK: resolve(projectDir, lock) }),
      KUBECONFIG: kubeconfig,
      NO_COLOR: '1',
    },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    maxBuffer: 2 ** 28,
  })
  appendFileSync(outputFile, `$ lab ${args.join(' ')}\n${stdout}\n${stderr}\n`, { mode: 0o600 })
  return { exitCode, stdout, stderr, seconds: durationMs / 1000 }
}

/** Runs a command of the lab. @returns its standard output. @throws Error when it fails. */
export async function labOutput(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await lab(args, env)
  if (exitCode !== 0) throw new Error(`lab ${args.join(' ')}: ${stderr.trim() || stdout.trim()}`)
  return stdout
}

/** Creates what Pulumi.production.yaml asks for before the first `up`: the namespace and the Secrets. */
export async function createNamespaceAndSecrets(credentials: S3Credentials): Promise<void> {
  const password = randomBytes(15).toString('hex')
  writeNote('grafana', { password })
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'monitoring', labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
    },
    // With cluster.namespaces: existing, that of the application is not the lab's either.
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'application' } },
    secret('grafana-admin', { 'admin-user': 'admin', 'admin-password': password }),
  ]
  await kubectl(['apply', '-f', '-'], objects.map(object => stringify(object)).join('---\n'))
  await createCredentials(credentials)
}

/** Creates or changes the Secret with the key to the bucket. */
export async function createCredentials({ accessKey, secretKey }: S3Credentials): Promise<void> {
  const keys = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey }
  await kubectl(['apply', '-f', '-'], stringify(secret('loki-object-storage', keys)))
}

const secret = (name: string, stringData: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'monitoring' },
  stringData,
})

/** Forwards a port of the cluster to this machine while something runs. */
export async function withForward<T>(
  target: string,
  port: number,
  run: (address: string) => Promise<T>,
  localPort?: number,
): Promise<T> {
  const args = ['-n', 'monitoring', 'port-forward', target, `${localPort ?? ''}:${port}`]
  const { process: forwarding } = await startKubectl(args, { reject: false })
  try {
    const address = await new Promise<string>((resolve, reject) => {
      forwarding.stdout.on('data', chunk => {
        const [, local] = /127\.0\.0\.1:(\d+)/.exec(String(chunk)) ?? []
        if (local) resolve(`http://127.0.0.1:${local}`)
      })
      void forwarding.then(({ stderr }) => reject(new Error(`port-forward ${target}: ${stderr}`)))
    })
    return await run(address)
  } finally {
    forwarding.kill()
  }
}
