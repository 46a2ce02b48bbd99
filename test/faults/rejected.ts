import { createHash } from 'node:crypto'
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect } from 'vitest'
import { bundleFormat, checksumLines, checksumsPath, manifestPath } from '../../scripts/bundle/manifest.ts'
import { tarChunks } from '../../scripts/bundle/tar.ts'
import { testLab } from './support/checkout.ts'
import { checkout, docker, errorOf, faultTest, node, upRepairs } from './support/test-lab.ts'

// `lab up` finds these faults before it creates anything, so only what the error names must be fixed.

/** Checks that `lab up` fails and creates no node. @returns the error. */
async function rejectedUp(env: Record<string, string> = {}): Promise<string> {
  const line = errorOf(await checkout().lab(['up', '--json'], env))
  expect((await docker('inspect', node)).exitCode).not.toBe(0)
  return line
}

/** Changes a file of the checkout, does the work and restores the file. */
async function whileChanged<T>(file: string, change: () => void, work: () => Promise<T>): Promise<T> {
  const before = readFileSync(file)
  try {
    change()
    return await work()
  } finally {
    writeFileSync(file, before)
  }
}

/** Returns an offline bundle as `lab bundle create` writes it, with one file in it. */
async function bundleOf(path: string, content: Buffer): Promise<Buffer> {
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  const manifest = Buffer.from(
    JSON.stringify({
      bundle: bundleFormat,
      lab: '0.1.0',
      created: '2026-01-01T00:00:00Z',
      platforms: ['linux/amd64'],
      pins: {},
      packages: path,
      tools: [],
      charts: [],
      images: [],
      unpacked: {},
      members: { [path]: { size: content.length, sha256: digest(content) } },
    }),
  )
  const sums = Buffer.from(
    checksumLines({ [manifestPath]: { sha256: digest(manifest) }, [path]: { sha256: digest(content) } }),
  )
  const entries = Object.entries({ [manifestPath]: manifest, [checksumsPath]: sums, [path]: content })
  return buffer(tarChunks(entries.map(([path, bytes]) => ({ path, size: bytes.length, content: [bytes] }))))
}

export function rejectedFaults(): void {
  faultTest('a port in use', async notes => {
    const server = createServer().listen(testLab.ports.grafana, '127.0.0.1')
    try {
      notes.message = await rejectedUp()
      expect(notes.message).toMatch(/Port 13000 is in use/)
    } finally {
      server.close()
    }
    notes.recovery = 'the line names the setting'
  })

  faultTest('a wrong setting', async notes => {
    const file = checkout().path('Pulumi.dev.yaml')
    const wrong = () => writeFileSync(file, 'config:\n  tetragon-lab:grafana:\n    pasword: x\n')
    notes.message = await whileChanged(file, wrong, rejectedUp)
    expect(notes.message).toMatch(/pasword/)
    notes.recovery = 'the line names the nearest key'
  })

  faultTest('Docker not running', async notes => {
    const noEngine = { DOCKER_HOST: 'unix:///nowhere/docker.sock' }
    notes.message = errorOf(await checkout().lab(['up', '--json'], noEngine))
    expect(notes.message).toMatch(/Cannot connect to Docker/)
    notes.recovery = 'the line says how to start it'
  })

  faultTest('a truncated lock file', async notes => {
    const lock = checkout().path('cut.lock.yaml')
    writeFileSync(lock, 'charts:\n  loki: {version: 18.11.0, url: "file:///x')
    notes.message = await rejectedUp({ LAB_LOCK: lock })
    expect(notes.message).toMatch(/cut\.lock\.yaml/)
    rmSync(lock)
    notes.recovery = 'the line names the file'
  })

  faultTest('a truncated recording', async notes => {
    const file = checkout().path('stacks', 'monitoring', 'replay', 'recordings', 'guestbook', 'tetragon.log.zst')
    notes.message = await whileChanged(file, () => truncateSync(file, 10_000), rejectedUp)
    expect(notes.message).toMatch(/tetragon\.log\.zst/)
    notes.recovery = 'the line says how to restore it'
  })

  faultTest('a truncated offline bundle', async notes => {
    const chart = readFileSync(checkout().path('.lab', 'charts', 'loki-18.11.0.tgz'))
    const whole = await bundleOf('charts/loki-18.11.0.tgz', chart)
    const file = checkout().path('cut.bundle')
    writeFileSync(file, whole.subarray(0, -chart.length / 2))
    notes.message = errorOf(await checkout().lab(['bundle', 'load', file]))
    expect(notes.message).toMatch(/cut\.bundle is cut off after \d+ bytes/)
    rmSync(file)
    notes.recovery = 'the line says how to copy the rest'
  })

  faultTest('a truncated chart', async notes => {
    const chart = checkout().path('.lab', 'charts', 'loki-18.11.0.tgz')
    truncateSync(chart, 10_000)
    notes.message = 'nothing: it is downloaded again'
    notes.recovery = await upRepairs()
  })

  faultTest('a chart with another digest than the lock file says', async notes => {
    const lock = checkout().path('wrong.lock.yaml')
    const chart = checkout().path('.lab', 'charts', 'loki-18.11.0.tgz')
    const pin = `{version: 18.11.0, url: ${JSON.stringify(`file://${chart}`)}, sha256: '${'0'.repeat(64)}'}`
    const pins = readFileSync(checkout().env.LAB_LOCK ?? checkout().path('lab.lock.yaml'), 'utf8')
    writeFileSync(lock, pins.replace(/^ {2}loki: \{ *version: 18\.11\.0.*$/m, `  loki: ${pin}`))
    notes.message = errorOf(await checkout().lab(['up', '--json'], { LAB_LOCK: lock }))
    expect(notes.message).toMatch(/loki/)
    rmSync(lock)
    notes.recovery = 'the running lab stays as it was'
  })
}
