import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { expect } from 'vitest'
import { Checkout } from './support/checkout.ts'
import {
  checkout,
  docker,
  downMends,
  during,
  fault,
  lab,
  node,
  program,
  refusal,
  status,
  upMends,
} from './support/world.ts'

// The machine itself: its disk, its engine, its other clusters, and checkouts that may not be written to.

const userKubeconfig = join(homedir(), '.kube', 'config')

export function machineFaults(): void {
  fault('another kind cluster and another context are there', async notes => {
    const before = existsSync(userKubeconfig) ? readFileSync(userKubeconfig) : undefined
    const image = (await docker('inspect', '--format', '{{.Config.Image}}', node)).stdout || 'kindest/node:v1.36.1'
    await program('kind', ['create', 'cluster', '--name', 'neighbour', '--image', image, '--wait', '60s'])
    const there = readFileSync(userKubeconfig)
    const idOf = async () =>
      (await docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}}', 'neighbour-control-plane')).stdout
    const id = await idOf()
    try {
      notes.saw = 'nothing of the lab in it'
      const up = await upMends()
      notes.next = `${up}; ${(await lab('down', '--yes')).exitCode === 0 ? 'lab down' : 'down failed'}: the other untouched`
      expect(await idOf()).toBe(id)
      expect(readFileSync(userKubeconfig)).toEqual(there)
      const theirs = await program('kubectl', ['--context', 'kind-neighbour', 'get', 'namespaces', '-o', 'name'])
      expect(theirs).not.toMatch(/application|monitoring/)
      expect((await docker('network', 'ls', '--format', '{{.Name}}')).stdout.split('\n')).toContain('kind')
    } finally {
      // Whether or not it goes, the user's own file is put back.
      await program('kind', ['delete', 'cluster', '--name', 'neighbour']).catch(() => '')
      if (before) writeFileSync(userKubeconfig, before)
      else rmSync(userKubeconfig, { force: true })
    }
  })

  fault('a checkout that may not be written to', async notes => {
    const readOnly = new Checkout()
    const elsewhere = `${readOnly.folder} lab`
    mkdirSync(elsewhere)
    await execa('mount', ['--bind', readOnly.folder, readOnly.folder])
    await execa('mount', ['-o', 'remount,ro,bind', readOnly.folder])
    try {
      notes.saw = refusal(await readOnly.lab(['up', '--json'], { LAB_DIR: elsewhere }))
    } finally {
      await execa('umount', [readOnly.folder])
    }
    notes.next = await downMends()
    readOnly.remove()
  })

  fault('the disk fills up while images are loaded', async notes => {
    await downMends()
    const filler = join(dirname(checkout().folder), 'filler')
    try {
      const run = await during('up', 'boots the node', async () => {
        const { bavail, bsize } = statfsSync(checkout().folder)
        await execa('fallocate', ['-l', String(bavail * bsize - 50e6), filler])
      })
      notes.saw = refusal(run)
    } finally {
      rmSync(filler, { force: true })
    }
    notes.next = await upMends()
  })

  fault('the engine is restarted', async notes => {
    const restart = process.env.LAB_TEST_RESTART_DOCKER
    if (!restart) {
      notes.saw = 'not tried: LAB_TEST_RESTART_DOCKER names no command that restarts the engine'
      return
    }
    await upMends()
    await execa('bash', ['-c', restart])
    notes.saw = await status()
    notes.next = await upMends()
  })
}
