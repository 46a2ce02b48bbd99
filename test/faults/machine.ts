import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { expect } from 'vitest'
import { Checkout } from './support/checkout.ts'
import {
  checkout,
  docker,
  downRemovesAll,
  errorOf,
  faultTest,
  forgetImages,
  lab,
  node,
  runAndInterfere,
  runProgram,
  statusLine,
  upRepairs,
} from './support/test-lab.ts'

// Faults of the machine: its disk, its engine, other clusters, and read-only checkouts.

const userKubeconfig = join(homedir(), '.kube', 'config')

export function machineFaults(): void {
  faultTest('another kind cluster and another kubeconfig context', async notes => {
    const before = existsSync(userKubeconfig) ? readFileSync(userKubeconfig) : undefined
    const image = (await docker('inspect', '--format', '{{.Config.Image}}', node)).stdout || 'kindest/node:v1.36.1'
    await runProgram('kind', ['create', 'cluster', '--name', 'neighbor', '--image', image, '--wait', '60s'])
    const kubeconfig = readFileSync(userKubeconfig)
    const idOf = async () =>
      (await docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}}', 'neighbor-control-plane')).stdout
    const id = await idOf()
    try {
      notes.message = 'nothing'
      const up = await upRepairs()
      const { exitCode } = await lab('down', '--yes')
      notes.recovery = `${up}; ${exitCode === 0 ? 'lab down' : 'down failed'}: the other is untouched`
      expect(await idOf()).toBe(id)
      expect(readFileSync(userKubeconfig)).toEqual(kubeconfig)
      const theirs = await runProgram('kubectl', ['--context', 'kind-neighbor', 'get', 'namespaces', '-o', 'name'])
      expect(theirs).not.toMatch(/application|monitoring/)
      expect((await docker('network', 'ls', '--format', '{{.Name}}')).stdout.split('\n')).toContain('kind')
    } finally {
      // Restores the user's file even if kind fails.
      await runProgram('kind', ['delete', 'cluster', '--name', 'neighbor']).catch(() => '')
      if (before) writeFileSync(userKubeconfig, before)
      else rmSync(userKubeconfig, { force: true })
    }
  })

  faultTest('a read-only checkout', async notes => {
    const readOnly = new Checkout()
    const elsewhere = `${readOnly.folder} lab`
    mkdirSync(elsewhere)
    await execa('mount', ['--bind', readOnly.folder, readOnly.folder])
    await execa('mount', ['-o', 'remount,ro,bind', readOnly.folder])
    try {
      notes.message = errorOf(await readOnly.lab(['up', '--json'], { LAB_DIR: elsewhere }))
    } finally {
      await execa('umount', [readOnly.folder])
    }
    notes.recovery = await downRemovesAll()
    readOnly.remove()
  })

  faultTest('a disk that fills up while images are loaded', async notes => {
    await downRemovesAll()
    await forgetImages()
    const filler = join(dirname(checkout().folder), 'filler')
    try {
      const run = await runAndInterfere('up', 'boots the node', async () => {
        const { bavail, bsize } = statfsSync(checkout().folder)
        await execa('fallocate', ['-l', String(bavail * bsize - 50e6), filler])
      })
      notes.message = errorOf(run)
    } finally {
      rmSync(filler, { force: true })
    }
    notes.recovery = await upRepairs()
  })

  faultTest('a restart of the engine', async notes => {
    const restart = process.env.LAB_TEST_RESTART_DOCKER
    if (!restart) {
      notes.message = 'not tested: LAB_TEST_RESTART_DOCKER has no command that restarts the engine'
      return
    }
    await upRepairs()
    await execa('bash', ['-c', restart])
    notes.message = await statusLine()
    notes.recovery = await upRepairs()
  })
}
