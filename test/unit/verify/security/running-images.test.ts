import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { DockerImage } from '../../../../scripts/supplies/docker-images.ts'
import {
  judgeContainerDigests,
  judgeContainers,
  judgeDigests,
  judgeNames,
  judgeNodeImage,
  type NodeImage,
  type RunningContainer,
  verifyImages,
} from '../../../../scripts/verify/security/running-images.ts'
import { imageRef, type LockedImage, readLock } from '../../../../shared/lock.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'
import { newFolder } from '../../support/folders.ts'

const locked = (repository: string, digest?: string): LockedImage => ({
  repository,
  tag: '1',
  ...(digest && { digest }),
})
const sha = (letter: string) => `sha256:${letter.repeat(64)}`
const redis = locked('docker.io/library/redis', sha('a'))
const ref = imageRef(redis)
const running = (id: string, image = ref): RunningContainer[] => [{ pod: 'redis-1', container: 'leader', image, id }]
const onHost = (id: string, ...digests: string[]) =>
  new Map<string, DockerImage>([[ref, { id, repoDigests: digests.map(digest => `redis@${digest}`) }]])

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
})
afterEach(() => {
  vi.unstubAllEnvs()
})

describe('verifyImages', () => {
  /** Makes the checks of a lab with one pod and a docker command that fails for these arguments. */
  async function resultsWithout(pattern: string): Promise<Record<string, string>> {
    const folder = process.env.LAB_DIR!
    const lock = readLock('')
    const pod = {
      metadata: { name: 'loki-0' },
      spec: { containers: [{ name: 'loki', image: imageRef(lock.images.loki) }] },
      status: { containerStatuses: [{ name: 'loki', imageID: sha('c') }] },
    }
    const program = (name: string, script: string) =>
      writeFileSync(join(folder, name), `#!/bin/sh\ncase "$*" in\n${script}\nesac\n`, { mode: 0o755 })
    program('kubectl', `*) echo '${JSON.stringify({ items: [pod] })}' ;;`)
    program(
      'docker',
      `${pattern}) echo 'Error response from daemon: container is not running' >&2; exit 1 ;;
"image inspect"*) printf '["%s"]\\t[]\\t%s\\n' '${imageRef(lock.nodeImage)}' '${sha('e')}' ;;
inspect*) echo '${sha('e')}' ;;
*crictl*) echo '{"images":[]}' ;;`,
    )
    writeFileSync(join(folder, 'kubeconfig'), '')
    const env = { PATH: `${folder}:${process.env.PATH}` }
    vi.stubEnv('PATH', env.PATH)
    const checks = await verifyImages({ settings: parseSettings({}), lock, env })
    return Object.fromEntries(checks.map(({ title, result }) => [title, result]))
  }

  it('makes the other checks when the images in the node cannot be read', async () => {
    expect(await resultsWithout('exec*')).toEqual({
      'every container uses a pinned image': 'ok',
      'every container runs the image on the Docker host': 'fail',
      'images without a registry digest': 'skip',
      'the node runs the pinned image': 'skip',
      'kube-system and local-path-storage': 'skip',
    })
  })

  it('still checks the names of the images when the Docker host cannot be examined', async () => {
    expect(await resultsWithout('image*')).toEqual({
      'every container uses a pinned image': 'ok',
      'every container runs the image on the Docker host': 'fail',
      'images have their pinned digests': 'fail',
      'the node runs the pinned image': 'fail',
      'kube-system and local-path-storage': 'skip',
    })
  })
})

describe('judgeNames', () => {
  it('fails for a container whose image is not in the lock', () => {
    expect(judgeNames(running(sha('c')), [redis]).result).toBe('ok')
    expect(judgeNames(running(sha('c'), 'docker.io/library/nginx:latest'), [redis])).toMatchObject({
      result: 'fail',
      found: 'docker.io/library/nginx:latest in redis-1',
    })
  })
})

describe('judgeContainers', () => {
  const inNode = new Map<string, NodeImage>([[ref, { config: sha('c'), target: sha('b') }]])
  const judge = (id: string, host: string) => judgeContainers(running(id), inNode, onHost(host)).result

  it("passes with either of Docker's image stores", () => {
    expect(judge(sha('c'), sha('c'))).toBe('ok')
    expect(judge(`docker.io/library/redis@${sha('b')}`, sha('b'))).toBe('ok')
  })

  it('fails when the node has got another image of that name since the container started', () => {
    expect(judge(sha('d'), sha('c'))).toBe('fail')
  })

  it('fails when the Docker host has another image than the node', () => {
    expect(judge(sha('c'), sha('d'))).toBe('fail')
  })

  it('fails when the image is not in the node, or not on the Docker host', () => {
    expect(judgeContainers(running(sha('c')), new Map(), onHost(sha('c')))).toMatchObject({
      result: 'fail',
      found: `${ref} of redis-1 is not in the node`,
    })
    expect(judgeContainers(running(sha('c')), inNode, new Map())).toMatchObject({
      result: 'fail',
      found: `${ref} of redis-1 is not on the Docker host`,
    })
  })
})

describe('judgeDigests', () => {
  const results = (image: LockedImage, host: Map<string, DockerImage>) =>
    judgeDigests([image], host).map(({ result }) => result)
  const unpinned = locked('docker.io/library/redis')

  it('compares the digest of the registry with that of the lock', () => {
    expect(results(redis, onHost(sha('c'), sha('a')))).toEqual(['ok'])
    expect(results(redis, onHost(sha('c'), sha('e')))).toEqual(['fail'])
  })

  it('skips an image for which the registry, or the lock, has no digest', () => {
    expect(results(redis, onHost(sha('c')))).toEqual(['skip'])
    expect(results(unpinned, onHost(sha('c'), sha('a')))).toEqual(['skip'])
  })

  it('fails when an image without a digest in the lock is not that of its first pull', () => {
    writeFileSync(join(process.env.LAB_DIR!, 'remembered.json'), JSON.stringify({ [ref]: sha('f') }))
    expect(results(unpinned, onHost(sha('c'), sha('a')))).toEqual(['fail'])
  })
})

describe('judgeContainerDigests', () => {
  const pulled = (letter: string): RunningContainer[] => running(`docker.io/library/redis@${sha(letter)}`)

  it('fails when a single container runs another image', () => {
    expect(judgeContainerDigests([...pulled('a'), ...pulled('a')], [redis])).toMatchObject([{ result: 'ok' }])
    expect(judgeContainerDigests([...pulled('a'), ...pulled('e'), ...pulled('a')], [redis])).toMatchObject([
      { result: 'fail', found: expect.stringContaining(sha('e')), expected: `${ref}@${sha('a')}` },
    ])
  })

  it('skips images that were loaded from a file, and those without a digest in the lock', () => {
    expect(judgeContainerDigests(running(sha('c')), [redis])).toMatchObject([{ result: 'skip' }])
    expect(judgeContainerDigests(pulled('a'), [locked('docker.io/library/redis')])).toMatchObject([{ result: 'skip' }])
  })
})

describe('judgeNodeImage', () => {
  it.each([
    ['the pinned image', sha('c'), onHost(sha('c'), sha('a')), 'ok'],
    ['an image with another digest', sha('c'), onHost(sha('c'), sha('e')), 'fail'],
    ['another image than the Docker host has', sha('d'), onHost(sha('c'), sha('a')), 'fail'],
    ['an image without a registry digest', sha('c'), onHost(sha('c')), 'skip'],
  ])('%s', (_, id, host, expected) => {
    expect(judgeNodeImage(redis, id, host).result).toBe(expected)
  })
})
