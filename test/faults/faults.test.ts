import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { $ } from 'zx'
import { labPath, projectDir } from '../../stacks/paths.ts'

$.cwd = projectDir
$.verbose = false
$.nothrow = true
const lab = (...args: string[]) => $`./lab ${args}`
const node = 'lab-control-plane'

beforeAll(async () => {
  expect(JSON.parse((await lab('status', '--json')).stdout), 'no lab may be up').toMatchObject({ state: 'down' })
})
afterEach(async () => {
  await lab('down', '--yes')
  expect((await $`docker ps -a --format {{.Names}}`).stdout).not.toContain(node)
})

/** Process number of the `lab up` that runs. */
const runningUp = (): number => (JSON.parse(readFileSync(labPath('running.json'), 'utf8')) as { pid: number }).pid

/** A lab that stands and keeps its promises. */
async function expectSound(): Promise<void> {
  const up = await lab('up', '--json')
  expect(up.exitCode, up.stderr).toBe(0)
  const verify = await lab('verify', '--json')
  const checks = JSON.parse(verify.stdout) as { result: string }[]
  expect(checks.filter(check => check.result === 'fail')).toEqual([])
}

describe('before anything is made', () => {
  it('a taken port is named, with the setting that moves it', async () => {
    const server = createServer().listen(3000, '127.0.0.1')
    try {
      const { exitCode, stderr } = await lab('up', '--json')
      expect(exitCode).toBe(1)
      expect(stderr).toMatch(/127\.0\.0\.1:3000 is taken/)
      expect(stderr).toMatch(/config set --path tetragon-lab:ports\.grafana/)
      expect(stderr).not.toContain('    at ')
    } finally {
      server.close()
    }
  })

  it('a wrong setting, an unknown key', async () => {
    const file = join(projectDir, 'Pulumi.dev.yaml')
    const before = readFileSync(file, 'utf8')
    try {
      for (const [text, says] of [
        ['config:\n  tetragon-lab:traffic:\n    rate: fast\n', /traffic\.rate is "fast"/],
        ['config:\n  tetragon-lab:grafana:\n    pasword: x\n', /nearest is grafana\.password/],
      ] as const) {
        writeFileSync(file, text)
        const { exitCode, stderr } = await lab('up', '--json')
        expect(exitCode).toBe(1)
        expect(stderr).toMatch(says)
        expect(stderr.trim().split('\n')).toHaveLength(3)
      }
    } finally {
      writeFileSync(file, before)
    }
  })

  it('no Docker', async () => {
    const { exitCode, stderr } = await $({
      env: { ...process.env, DOCKER_HOST: 'unix:///nowhere/docker.sock' },
    })`./lab up --json`
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/Docker does not answer/)
    expect(stderr.trim().split('\n')).toHaveLength(3)
  })

  it('a chart that is not what the lock says', async () => {
    const lock = labPath('wrong.lock.yaml')
    const version = '18.11.0'
    writeFileSync(
      lock,
      `charts:\n  loki: {version: ${version}, url: "file://${labPath('charts', `loki-${version}.tgz`)}", sha256: ${'0'.repeat(64)}}\n`,
    )
    const { exitCode, stderr } = await $({ env: { ...process.env, LAB_LOCK: lock } })`./lab up --json`
    rmSync(lock)
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/loki/)
    expect(stderr.trim().split('\n')).toHaveLength(3)
  })
})

describe('in the middle', () => {
  it('Ctrl-C while the node boots, and a second up meanwhile', async () => {
    const first = lab('up', '--json')
    void first.then(() => undefined)
    await sleep(12_000)
    const second = await lab('up', '--json')
    expect(second.exitCode).toBe(1)
    expect(second.stderr).toMatch(/`lab up` is under way/)
    process.kill(runningUp(), 'SIGINT')
    const { exitCode, stderr } = await first
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/interrupted/)
    await expectSound()
  })

  it('Pulumi killed while releases are being installed', async () => {
    const first = lab('up', '--json')
    void first.then(() => undefined)
    // The first release has begun: from here on there are half-made ones.
    await expect
      .poll(async () => (await lab('kubectl', 'get', 'secrets', '-A', '-l', 'owner=helm', '-o', 'name')).stdout, {
        timeout: 240_000,
        interval: 1000,
      })
      .toContain('sh.helm.release')
    await $`pkill -9 -f ${'pulumi up --yes'}`
    expect((await first).exitCode).toBe(1)
    await expectSound()
  })

  it('down after an interrupted up leaves nothing', async () => {
    const first = lab('up', '--json')
    void first.then(() => undefined)
    await sleep(10_000)
    process.kill(runningUp(), 'SIGINT')
    await first
    expect((await lab('down', '--yes')).exitCode).toBe(0)
  })
})

describe('behind its back', () => {
  it('the node removed: up makes it anew', async () => {
    await expectSound()
    await $`docker rm -f -v ${node}`
    await expectSound()
  })

  it('the node removed: down forgets it', async () => {
    await expectSound()
    await $`docker rm -f -v ${node}`
    expect((await lab('down', '--yes')).exitCode).toBe(0)
    expect(JSON.parse((await lab('status', '--json')).stdout)).toMatchObject({ state: 'down' })
  })

  it('the node stopped, as by a restart of Docker: up starts it', async () => {
    await expectSound()
    await $`docker stop ${node}`
    await expectSound()
  })

  it('parts deleted from the cluster: up puts them back', async () => {
    await expectSound()
    await lab('kubectl', '-n', 'monitoring', 'delete', 'statefulset', 'loki')
    await lab('kubectl', '-n', 'application', 'delete', 'deployment', 'visitor')
    await expectSound()
  })
})
