import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  cleanImageVolume,
  prepareImageVolume,
  recordImages,
  removeImageVolume,
} from '../../../scripts/cluster/image-volume.ts'
import { newFolder } from '../../unit/support/folders.ts'

let folder: string
const inFolder = (name: string): string => join(folder, name)
const calls = (start: string): string[] =>
  readFileSync(inFolder('calls'), 'utf8')
    .split('\n')
    .filter(call => call.startsWith(start))

/** A fake `docker`: the file `volume` is the volume with its label, `run` the exit codes of `docker run` in turn. */
const fakeDocker = `#!/bin/sh
cd "\${0%/*}" || exit 1
printf '%s' "$*" | tr '\\n' ' ' >> calls; echo >> calls
case "$1 $2" in
  "volume inspect") [ -f volume ] && printf '/volumes/lab/_data\\t%s\\n' "$(cat volume)" ;;
  "volume create") echo images > volume ;;
  "volume rm") [ ! -f in-use ] && rm -f volume ;;
  "image inspect")
    shift 4
    for ref in "$@"; do
      case $ref in missing*) echo "No such image: $ref" >&2; exit 1 ;; *) printf '["%s"]\\tnull\\tsha256:%s\\n' "$ref" "$(cat id)" ;; esac
    done ;;
  "run "*)
    read -r code < run || exit 0
    sed -i 1d run
    exit "$code" ;;
esac
`

beforeEach(() => {
  folder = newFolder()
  writeFileSync(inFolder('docker'), fakeDocker, { mode: 0o755 })
  writeFileSync(inFolder('id'), '1')
  writeFileSync(inFolder('run'), '')
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`)
})
afterEach(() => vi.unstubAllEnvs())

const prepare = (...refs: string[]) => prepareImageVolume('lab', 'node:1', refs.length > 0 ? refs : ['redis:8'])
const exitCodes = (...codes: number[]): void => writeFileSync(inFolder('run'), codes.map(code => `${code}\n`).join(''))
const [unusable, stale] = [3, 4]

describe('prepareImageVolume', () => {
  it('creates a volume, empty but for what the node image has', async () => {
    expect(await prepare()).toEqual({ folder: '/volumes/lab/_data', filled: false })
    expect(calls('volume create')).toEqual(['volume create --label io.tetragon-lab=images lab-images'])
    expect(calls('run')[0]).toContain(
      '--volume lab-images:/var/lib/containerd --volume /volumes/lab/_data:/folder node:1',
    )
  })

  it('keeps a volume that has the images', async () => {
    await prepare()
    exitCodes(0)
    expect(await prepare()).toEqual({ folder: '/volumes/lab/_data', filled: true })
    expect(calls('volume create')).toHaveLength(1)
  })

  it('replaces a stale volume', async () => {
    await prepare()
    exitCodes(stale, 0)
    expect(await prepare()).toEqual({ folder: '/volumes/lab/_data', filled: false })
    expect(calls('volume create')).toHaveLength(2)
  })

  it('replaces the volume when an image is not on the Docker host: it may be another one after the pull', async () => {
    await prepare()
    expect(await prepare('missing:1')).toMatchObject({ filled: false })
    expect(calls('volume create')).toHaveLength(2)
  })

  it('returns none where the engine mounts another folder, and removes what it created', async () => {
    exitCodes(unusable)
    expect(await prepare()).toBeUndefined()
    expect(existsSync(inFolder('volume'))).toBe(false)
  })

  it('returns none for a volume of that name that no lab created, and keeps it', async () => {
    writeFileSync(inFolder('volume'), '<no value>')
    expect(await prepare()).toBeUndefined()
    expect(calls('volume rm')).toEqual([])
  })

  it('returns none while another container uses a stale volume', async () => {
    await prepare()
    writeFileSync(inFolder('in-use'), '')
    exitCodes(stale)
    expect(await prepare()).toBeUndefined()
  })
})

describe('recordImages', () => {
  const recordedKey = async (): Promise<string | undefined> => {
    rmSync(inFolder('calls'), { force: true })
    await recordImages('lab-control-plane', 'node:1', ['redis:8'])
    return calls('exec')[0]?.split(' ').at(-1)
  }

  it('records the images that the next `prepareImageVolume` compares with those on the Docker host', async () => {
    await prepare()
    const key = await recordedKey()
    expect(key).toMatch(/^[0-9a-f]{64}$/)
    exitCodes(0)
    await prepare()
    expect(calls('run')[0]?.split(' ').at(-1)).toBe(key)
    writeFileSync(inFolder('id'), '2')
    expect(await recordedKey()).not.toBe(key)
  })
})

describe('cleanImageVolume', () => {
  it('cleans the volume of a lab, whatever images it has, and no other volume', async () => {
    await prepare()
    await cleanImageVolume('lab', 'node:1')
    expect(calls('run').at(-1)).toMatch(/ sh clean $/)
    writeFileSync(inFolder('volume'), '<no value>')
    await cleanImageVolume('lab', 'node:1')
    expect(calls('run')).toHaveLength(2)
  })
})

it('removeImageVolume keeps a volume that no lab created', async () => {
  writeFileSync(inFolder('volume'), '<no value>')
  await removeImageVolume('lab')
  expect(existsSync(inFolder('volume'))).toBe(true)
  writeFileSync(inFolder('volume'), 'images')
  await removeImageVolume('lab')
  expect(existsSync(inFolder('volume'))).toBe(false)
})
