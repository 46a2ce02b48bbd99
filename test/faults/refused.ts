import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { expect } from 'vitest'
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
    expect(notes.saw).toMatch(/Docker does not answer/)
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
