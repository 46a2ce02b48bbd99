import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dockerProblem } from '../../../scripts/engine/docker.ts'
import { familiarName, type ImageStep, loadImages, pullImages } from '../../../scripts/supplies/images.ts'
import { remember, remembered } from '../../../scripts/supplies/remembered-digests.ts'
import { retryPolicy } from '../../../scripts/supplies/retry.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import { lockWith, newFolder } from '../support/publisher.ts'

let docker: FakeDocker
const digest = (digit: string): string => `sha256:${digit.repeat(64)}`
const loki = 'docker.io/grafana/loki:3.7.6'
const redis = 'docker.io/library/redis:7-alpine'
const prometheus = 'quay.io/prometheus/prometheus:v3.14.0-distroless'

beforeEach(() => {
  process.env.LAB_DIR = newFolder()
  retryPolicy.minTimeout = 1
  docker = fakeDocker()
})
afterEach(() => {
  delete process.env.LAB_DIR
  docker.restore()
})

const pulls = (): string[] => docker.calls().filter(call => call.startsWith('pull'))
const problem = (run: Promise<unknown>): Promise<LabError> =>
  run.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(LabError)
      return error as LabError
    },
  )

describe('pulling', () => {
  test('leaves alone what is there, and tells it', async () => {
    docker.put('host', `${loki} -`, `${redis} docker.io/library/redis@${digest('a')}`)
    const steps: ImageStep[] = []
    await pullImages(lockWith({}), ['loki', 'redis'], step => steps.push(step))
    expect(steps).toEqual([
      { ref: loki, step: 'present' },
      { ref: redis, step: 'present' },
    ])
    expect(docker.calls()).toHaveLength(1)
  })

  test('takes by tag what is not pinned, and remembers what it was', async () => {
    docker.put('registry', `${redis} docker.io/library/redis@${digest('a')}`)
    const steps: ImageStep[] = []
    await pullImages(lockWith({}), ['redis'], step => steps.push(step))
    expect(pulls()).toEqual([`pull ${redis}`])
    expect(remembered(redis)).toBe(digest('a'))
    expect(steps.map(({ step }) => step)).toEqual(['pulling', 'pulling', 'pulling', 'pulling', 'pulled'])
    expect(steps.at(-2)!.layers).toEqual({ done: 2, of: 2 })
  })

  test('takes by digest what is pinned or remembered, under its tag', async () => {
    docker.put(
      'registry',
      `${redis} docker.io/library/redis@${digest('b')}`,
      `${loki} docker.io/grafana/loki@${digest('c')}`,
    )
    await remember({ [redis]: digest('b') })
    const lock = lockWith({
      images: { loki: { repository: 'docker.io/grafana/loki', tag: '3.7.6', digest: digest('c') } },
    })
    await pullImages(lock, ['redis', 'loki'])
    expect(pulls().sort()).toEqual([
      `pull docker.io/grafana/loki@${digest('c')}`,
      `pull docker.io/library/redis@${digest('b')}`,
    ])
    expect(docker.read('host')).toContain(`${redis} docker.io/library/redis@${digest('b')}`)
    expect(docker.read('host')).toContain(`${loki} docker.io/grafana/loki@${digest('c')}`)
  })

  test('replaces an image whose tag now means something else than the pin', async () => {
    docker.put('host', `${loki} docker.io/grafana/loki@${digest('d')}`)
    docker.put('registry', `${loki} docker.io/grafana/loki@${digest('c')}`)
    const lock = lockWith({
      images: { loki: { repository: 'docker.io/grafana/loki', tag: '3.7.6', digest: digest('c') } },
    })
    await pullImages(lock, ['loki'])
    expect(pulls()).toEqual([`pull docker.io/grafana/loki@${digest('c')}`])
  })

  test('tries again when the network falters', async () => {
    docker.put('registry', `${prometheus} quay.io/prometheus/prometheus@${digest('a')}`)
    docker.put('faults', '2')
    await pullImages(lockWith({}), ['prometheus'])
    expect(pulls()).toHaveLength(3)
    expect(docker.read('host')).toHaveLength(1)
  })

  test('gives up at once on what the registry does not have, and after some tries on a network that stays away', async () => {
    const missing = await problem(pullImages(lockWith({}), ['prometheus']))
    expect(missing.found).toMatch(/^quay\.io does not give quay\.io\/prometheus\/prometheus:v3\.14\.0-distroless/)
    expect(pulls()).toHaveLength(1)
    docker.put('faults', '99')
    const away = await problem(pullImages(lockWith({}), ['prometheus']))
    expect(away.found).toMatch(/^quay\.io cannot be reached .*i\/o timeout/)
    expect(pulls()).toHaveLength(1 + 1 + retryPolicy.retries)
  })

  test('begins no further pull once one has failed', async () => {
    await problem(pullImages(lockWith({}), ['prometheus', 'loki', 'redis', 'k6', 'node', 'grafana']))
    expect(pulls().length).toBeLessThanOrEqual(3)
  })

  test('asks for the only platform that an image is published for', async () => {
    const frontend = 'example.org/frontend:v5'
    docker.put('registry', `${frontend} example.org/frontend@${digest('a')}`)
    const image = { repository: 'example.org/frontend', tag: 'v5' }
    await pullImages(lockWith({ images: { 'guestbook-frontend': { ...image, platforms: ['linux/arm64'] } } }), [
      'guestbook-frontend',
    ])
    expect(pulls()).toEqual([`pull --platform linux/arm64 ${frontend}`])
  })
})

describe('loading into the node', () => {
  test('sends what the node lacks, and nothing the second time', async () => {
    docker.put('node', redis)
    const steps: string[] = []
    await loadImages('lab-control-plane', [loki, redis, prometheus], {
      onImage: ({ ref, step }) => steps.push(`${step} ${ref}`),
    })
    expect(docker.calls().filter(call => call.startsWith('save'))).toEqual([`save ${loki} ${prometheus}`])
    expect(docker.calls().find(call => call.includes('import'))).toContain('--platform linux/amd64')
    expect(docker.read('node')).toEqual([redis, loki, prometheus])
    expect(steps).toEqual([
      `loading ${loki}`,
      `present ${redis}`,
      `loading ${prometheus}`,
      `loaded ${loki}`,
      `loaded ${prometheus}`,
    ])
    await loadImages('lab-control-plane', [loki, redis, prometheus])
    expect(docker.calls().filter(call => call.startsWith('save'))).toHaveLength(1)
  })

  test('packs while the node boots, in two streams where there is much', async () => {
    docker.put('booting', '4')
    await loadImages('lab-control-plane', [loki, redis, prometheus, 'a/b:1', 'c/d:2'])
    const calls = docker.calls()
    expect(calls.filter(call => call.startsWith('save')).sort()).toEqual([
      'save a/b:1 c/d:2',
      `save ${loki} ${redis} ${prometheus}`,
    ])
    const lastTry = calls.findLastIndex(call => call.endsWith('ctr version'))
    expect(calls.findIndex(call => call.startsWith('save'))).toBeLessThan(lastTry)
    expect(docker.read('node').sort()).toEqual(['a/b:1', 'c/d:2', loki, redis, prometheus].sort())
  })

  test('says when the node does not come', async () => {
    docker.put('booting', '99')
    const error = await problem(loadImages('lab-control-plane', [loki], { waitSeconds: 0 }))
    expect(error.found).toMatch(/^containerd in the node lab-control-plane did not answer within 0 s/)
  })
})

test('names as Docker shows them', () => {
  expect([loki, redis, prometheus].map(familiarName)).toEqual(['grafana/loki:3.7.6', 'redis:7-alpine', prometheus])
})

describe('what is wrong with Docker, in its own words', () => {
  const told = (stderr: string, platform = 'linux') => dockerProblem(['ps'], { stderr }, platform)

  test.each([
    [
      'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.51/info": dial unix /var/run/docker.sock: connect: permission denied',
      "no right to use Docker's socket",
    ],
    [
      'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
      'Docker does not answer at unix:///var/run/docker.sock',
    ],
    ['error during connect: Get "https://10.0.0.5:2376/v1.51/info": dial tcp: i/o timeout', 'Docker does not answer'],
    [
      'Error response from daemon: no space left on device',
      'docker ps failed: Error response from daemon: no space left on device',
    ],
  ])('%s', (stderr, found) => {
    expect(told(stderr).found).toBe(found)
  })

  test('the next command fits the system', () => {
    expect(told('Cannot connect to the Docker daemon at x. ').next).toBe('sudo systemctl start docker')
    expect(told('Cannot connect to the Docker daemon at x. ', 'darwin').next).toBe('start Docker Desktop')
  })

  test('no docker at all', async () => {
    const { PATH } = process.env
    process.env.PATH = newFolder()
    try {
      expect((await problem(pullImages(lockWith({}), ['loki']))).found).toBe('no docker command on PATH')
    } finally {
      process.env.PATH = PATH
    }
  })
})
