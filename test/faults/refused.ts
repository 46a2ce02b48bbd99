import { createHash } from 'node:crypto'
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect } from 'vitest'
import { bundleFormat, manifestPath, checksumLines, checksumsPath } from '../../scripts/bundle/manifest.ts'
import { tarChunks } from '../../scripts/bundle/tar.ts'
import { own } from './support/checkout.ts'
import { checkout, docker, fault, node, refusal, upMends } from './support/world.ts'

// Found before anything is made: nothing is there to mend but what the line names.

/** Runs `lab up`, which must refuse, and must have made nothing. */
async function refused(env: Record<string, string> = {}): Promise<string> {
  const line = refusal(await checkout().lab(['up', '--json'], env))
  expect((await docker('inspect', node)).exitCode).not.toBe(0)
  return line
}

/** Does something while a file of the checkout is another; afterwards it is what it was. */
async function whileChanged<T>(file: string, change: () => void, work: () => Promise<T>): Promise<T> {
  const before = readFileSync(file)
  try {
    change()
    return await work()
  } finally {
    writeFileSync(file, before)
  }
}

/** A bundle as `lab bundle create` makes it, with one file in it. */
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

export function refusedFaults(): void {
  fault('a port is taken', async notes => {
    const server = createServer().listen(own.ports.grafana, '127.0.0.1')
    try {
      notes.saw = await refused()
      expect(notes.saw).toMatch(/127\.0\.0\.1:13000 is taken/)
    } finally {
      server.close()
    }
    notes.next = 'the line names the setting'
  })

  fault('a wrong setting', async notes => {
    const file = checkout().path('Pulumi.dev.yaml')
    const wrong = () => writeFileSync(file, 'config:\n  tetragon-lab:grafana:\n    pasword: x\n')
    notes.saw = await whileChanged(file, wrong, refused)
    expect(notes.saw).toMatch(/pasword/)
    notes.next = 'the line names the nearest key'
  })

  fault('Docker does not run', async notes => {
    const away = { DOCKER_HOST: 'unix:///nowhere/docker.sock' }
    notes.saw = refusal(await checkout().lab(['up', '--json'], away))
    expect(notes.saw).toMatch(/Cannot connect to Docker/)
    notes.next = 'the line says how to start it'
  })

  fault('a lock that is cut off', async notes => {
    const lock = checkout().path('cut.lock.yaml')
    writeFileSync(lock, 'charts:\n  loki: {version: 18.11.0, url: "file:///x')
    notes.saw = await refused({ LAB_LOCK: lock })
    expect(notes.saw).toMatch(/cut\.lock\.yaml/)
    rmSync(lock)
    notes.next = 'the line names the file'
  })

  fault('a recording that is cut off', async notes => {
    const file = checkout().path('stacks', 'monitoring', 'replay', 'recordings', 'guestbook', 'tetragon.log.gz')
    notes.saw = await whileChanged(file, () => truncateSync(file, 100_000), refused)
    expect(notes.saw).toMatch(/tetragon\.log\.gz/)
    notes.next = 'the line says how to get it back'
  })

  fault('a bundle that is cut off', async notes => {
    const chart = readFileSync(checkout().path('.lab', 'charts', 'loki-18.11.0.tgz'))
    const whole = await bundleOf('charts/loki-18.11.0.tgz', chart)
    const file = checkout().path('cut.bundle')
    writeFileSync(file, whole.subarray(0, -chart.length / 2))
    notes.saw = refusal(await checkout().lab(['bundle', 'load', file]))
    expect(notes.saw).toMatch(/cut\.bundle is cut off after \d+ bytes/)
    rmSync(file)
    notes.next = 'the line says how to copy the rest'
  })

  fault('a chart that is cut off', async notes => {
    const chart = checkout().path('.lab', 'charts', 'loki-18.11.0.tgz')
    truncateSync(chart, 10_000)
    notes.saw = 'nothing: it is fetched again'
    notes.next = await upMends()
  })

  fault('a chart that is not what the lock says', async notes => {
    const lock = checkout().path('wrong.lock.yaml')
    const chart = checkout().path('.lab', 'charts', 'loki-18.11.0.tgz')
    const pin = `{version: 18.11.0, url: ${JSON.stringify(`file://${chart}`)}, sha256: '${'0'.repeat(64)}'}`
    const pins = readFileSync(checkout().env.LAB_LOCK ?? checkout().path('lab.lock.yaml'), 'utf8')
    writeFileSync(lock, pins.replace(/^ {2}loki: \{ *version: 18\.11\.0.*$/m, `  loki: ${pin}`))
    notes.saw = refusal(await checkout().lab(['up', '--json'], { LAB_LOCK: lock }))
    expect(notes.saw).toMatch(/loki/)
    rmSync(lock)
    notes.next = 'the lab that stands is as it was'
  })
}
