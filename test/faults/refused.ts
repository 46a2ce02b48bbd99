import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { expect } from 'vitest'
import { checkout, fault, lab, refusal, upMends } from './support/world.ts'

// Found before anything is made: nothing is there to mend but what the line names.

/** Runs `lab up`, which must refuse, and must have made nothing. */
async function refused(env: Record<string, string> = {}): Promise<string> {
  const line = refusal(await checkout().lab(['up', '--json'], env))
  expect(JSON.parse((await lab('status', '--json')).stdout)).toMatchObject({ state: 'down' })
  return line
}

export function refusedFaults(): void {
  fault('a port is taken', async notes => {
    const server = createServer().listen(3000, '127.0.0.1')
    try {
      notes.saw = await refused()
      expect(notes.saw).toMatch(/127\.0\.0\.1:3000 is taken/)
    } finally {
      server.close()
    }
    notes.next = 'the line names the setting'
  })

  fault('a wrong setting', async notes => {
    const file = checkout().path('Pulumi.dev.yaml')
    const before = readFileSync(file, 'utf8')
    writeFileSync(file, 'config:\n  tetragon-lab:grafana:\n    pasword: x\n')
    notes.saw = await refused()
    expect(notes.saw).toMatch(/pasword/)
    writeFileSync(file, before)
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

  fault('a chart that is not what the lock says', async notes => {
    const lock = checkout().path('wrong.lock.yaml')
    const chart = checkout().path('.lab', 'charts', 'loki-18.11.0.tgz')
    writeFileSync(lock, `charts:\n  loki: {version: 18.11.0, url: "file://${chart}", sha256: ${'0'.repeat(64)}}\n`)
    notes.saw = await refused({ LAB_LOCK: lock })
    expect(notes.saw).toMatch(/loki/)
    rmSync(lock)
    notes.next = 'the line names both digests'
  })

  fault('a recording that is cut off', async notes => {
    const file = checkout().path('stacks', 'monitoring', 'replay', 'recordings', 'guestbook', 'tetragon.log.gz')
    const before = readFileSync(file)
    truncateSync(file, 100_000)
    notes.saw = await refused()
    expect(notes.saw).toMatch(/tetragon\.log\.gz/)
    writeFileSync(file, before)
    notes.next = 'the line says how to get it back'
  })

  fault('a chart in .lab/charts that is cut off', async notes => {
    const chart = checkout().path('.lab', 'charts', 'loki-18.11.0.tgz')
    truncateSync(chart, 10_000)
    notes.saw = 'nothing: it is fetched again'
    notes.next = await upMends()
  })
}
