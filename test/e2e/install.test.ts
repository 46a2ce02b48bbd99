import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { $ } from 'zx'
import manifest from '../../package.json' with { type: 'json' }
import { imageRef, readLock } from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'

// install.sh in containers that have nothing else. Another container on their network serves the release.

$.verbose = false
const { version } = manifest
const release = mkdtempSync(join(tmpdir(), 'lab-release-'))
const server = `lab-release-${process.pid}`
const address = 'http://127.0.0.1:8000'
const { images, nodeImage } = readLock()
const systems = [
  ['BusyBox and its wget', imageRef(images.node)],
  ['Debian with curl', imageRef(nodeImage)],
] as const
const containers = systems.map((_, index) => `${server}-${index}`)

const serve = `require('http').createServer((request, response) => require('fs')
  .createReadStream('/release' + request.url)
  .on('error', () => response.writeHead(404).end())
  .pipe(response)).listen(8000)`

beforeAll(async () => {
  await $({ cwd: projectDir })`.ci/release v${version} ${join(release, `v${version}`)} ${address}`
  await $`docker create --user 0 --name ${server} ${imageRef(images.node)} node -e ${serve}`
  await $`docker cp ${release} ${server}:/release`
  await $`docker start ${server}`
})
afterAll(async () => {
  await $({ nothrow: true })`docker rm --force --volumes ${[server, ...containers]}`
  rmSync(release, { recursive: true })
})

it.each(systems.map(([system, image], index) => ({ system, image, container: containers[index]! })))(
  'unpacks the release and changes nothing else: $system',
  async ({ image, container }) => {
    const script = `
      fetch() { if command -v curl >/dev/null; then curl -fsSL "$1"; else wget -q -O - "$1"; fi; }
      for attempt in $(seq 100); do ! fetch ${address}/v${version}/install.sh >/dev/null 2>&1 || break; sleep 0.2; done
      fetch ${address}/v${version}/install.sh | sh`
    const options = ['--user', '0', '--name', container, '--network', `container:${server}`, '--workdir', '/home']
    const { stdout } = await $`docker run ${options} --entrypoint sh ${image} -c ${script}`
    expect(stdout).toContain(`Tetragon Lab ${version} is in /home/tetragon-lab-${version}. Nothing else was changed.`)
    expect(stdout).toContain(`Undo    rm -r /home/tetragon-lab-${version}\n`)

    const changes = (await $`docker diff ${container}`).stdout.trim().split('\n')
    expect(changes).toContain(`A /home/tetragon-lab-${version}/lab`)
    const inFolder = new RegExp(`^(C /home|A /home/tetragon-lab-${version.replaceAll('.', '[.]')}(/.*)?)$`)
    expect(changes.filter(change => !inFolder.test(change))).toEqual([])
  },
)
