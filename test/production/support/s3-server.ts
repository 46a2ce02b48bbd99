import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { docker, network, waitFor } from './cluster.ts'
import { runFolder, writeNote } from './run.ts'

// An S3 server outside the lab: SeaweedFS, built from its Go module and put into an image of its own.

const module = 'github.com/seaweedfs/seaweedfs/weed'
const version = 'v0.0.0-20261109003541-7506e5f91cd6'
const image = `lab-test/seaweedfs:${version}`
const container = 'lab-production-s3'
const port = 8333

export const bucket = 'tetragon-events'
export const endpoint = `http://${network.s3Address}:${port}`

/** What Loki signs its requests with. */
export interface S3Credentials {
  accessKey: string
  secretKey: string
}

/**
 * Builds the image unless it exists. Go needs about 10 minutes for it on 2 processors; `LAB_TEST_WEED` names a program
 * that was built before.
 */
export async function buildS3Image(): Promise<void> {
  if ((await docker(['image', 'inspect', image], { reject: false })).exitCode === 0) return
  const root = join(runFolder, 's3-image')
  mkdirSync(runFolder, { recursive: true, mode: 0o700 })
  mkdirSync(join(root, 'tmp'), { recursive: true })
  mkdirSync(join(root, 'data'), { recursive: true })
  if (process.env.LAB_TEST_WEED) await execa('cp', [process.env.LAB_TEST_WEED, join(root, 'weed')])
  else await buildServer(join(root, 'weed'))
  const archive = join(runFolder, 's3-image.tar')
  await execa('tar', ['-C', root, '-cf', archive, '.'])
  await docker(['import', '--change', 'ENTRYPOINT ["/weed"]', archive, image])
}

/** Builds SeaweedFS in a module of its own. `go install` refuses a module that replaces others in its go.mod. */
async function buildServer(program: string): Promise<void> {
  const cwd = join(runFolder, 's3-build')
  mkdirSync(cwd, { recursive: true })
  writeFileSync(join(cwd, 'go.mod'), 'module s3-build\n')
  const go = (...args: string[]) => execa('nice', ['-n', '19', 'go', ...args], { cwd, env: { CGO_ENABLED: '0' } })
  await go('get', `${module}@${version}`)
  await go('build', '-trimpath', '-ldflags=-s -w', '-o', program, module)
}

/** Starts the server with a bucket and with credentials of this run. */
export async function startS3Server(): Promise<S3Credentials> {
  const credentials = { accessKey: randomBytes(10).toString('hex'), secretKey: randomBytes(20).toString('hex') }
  const config = join(runFolder, 's3-server.json')
  const actions = ['Read', 'Write', 'List', 'Tagging'].map(action => `${action}:${bucket}`)
  const identities = [{ name: 'loki', credentials: [credentials], actions }]
  writeFileSync(config, JSON.stringify({ identities }), { mode: 0o644 })
  await docker([
    ...['run', '--detach', '--name', container, '--network', network.name, '--ip', network.s3Address],
    ...['--volume', `${container}:/data`, '--volume', `${config}:/s3.json:ro`, image],
    ...[
      'server',
      '-dir=/data',
      '-ip=127.0.0.1',
      '-ip.bind=0.0.0.0',
      '-master.volumeSizeLimitMB=256',
      '-volume.max=100',
    ],
    ...['-filer', '-s3', `-s3.port=${port}`, '-s3.config=/s3.json', '-s3.port.iceberg=0', '-s3.port.lance=0'],
    '-master.telemetry=false',
  ])
  // The shell of SeaweedFS always exits with 0, so only the list tells.
  await waitForBucket(() => shell(`s3.bucket.create -name ${bucket}`))
  writeNote('s3', credentials)
  return credentials
}

/** Runs a command of SeaweedFS in the server. @returns what it prints; undefined where the server does not respond. */
async function shell(command: string): Promise<string | undefined> {
  const args = ['exec', '--interactive', container, '/weed', 'shell', '-master=127.0.0.1:9333']
  // Its shell waits forever for a server that is not there.
  const { exitCode, stdout } = await docker(args, { input: `${command}\n`, reject: false, timeout: 20_000 })
  return exitCode === 0 ? stdout : undefined
}

/**
 * Returns the bytes of the chunks in the bucket, without Loki's index.
 * @throws Error if the server does not say
 */
export async function bytesInBucket(): Promise<number> {
  const usage = (await shell(`fs.du /buckets/${bucket}`)) ?? ''
  if (!usage.includes('logical size')) throw new Error(`The S3 server does not say how full the bucket is: ${usage}`)
  // The tenant of a Loki without sign-in. Its folder is made with the first chunk.
  const chunks = (await shell(`fs.du /buckets/${bucket}/fake`)) ?? ''
  return Number([...chunks.matchAll(/logical size:\s*(\d+)/g)].at(-1)?.[1] ?? 0)
}

/** Takes the server away, and brings it back. */
export const stopS3Server = () => docker(['stop', '--time', '5', container])
export const restartS3Server = async (): Promise<void> => {
  await docker(['start', container])
  await waitForBucket()
}

/** Waits until the server lists the bucket, after another try of something each time. */
const waitForBucket = (attempt: () => Promise<unknown> = async () => undefined): Promise<void> =>
  waitFor(
    'the bucket',
    async () => {
      await attempt()
      return (await shell('s3.bucket.list'))?.includes(bucket) ? undefined : 'the S3 server does not list it'
    },
    120,
  )

/** Removes the server with its data. The image stays for the next run. */
export async function removeS3Server(): Promise<void> {
  await docker(['rm', '--force', '--volumes', container], { reject: false })
  await docker(['volume', 'rm', '--force', container], { reject: false })
}
