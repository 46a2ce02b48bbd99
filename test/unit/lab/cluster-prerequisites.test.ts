import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Context } from '../../../scripts/context/context.ts'
import { requireClusterPrerequisites } from '../../../scripts/lab/cluster-prerequisites.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { imageRef, readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-objects-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Fakes a cluster that has these objects: as `namespace NAME`, `secret NAME` with its keys, or `nodes` as JSON. */
async function errorWith(
  objects: Record<string, string>,
  guestbook: object = { enabled: false },
): Promise<LabError | undefined> {
  const answers = Object.entries(objects).map(([object, output]) => `*"get ${object} "*) echo '${output}' ;;`)
  const kubectl = join(folder, 'kubectl')
  writeFileSync(
    kubectl,
    `#!/bin/sh
case "$*" in
${answers.join('\n')}
*) echo 'Error from server (NotFound): not found' >&2; exit 1 ;;
esac
`,
  )
  chmodSync(kubectl, 0o755)
  const context: Context = {
    settings: parseSettings({
      cluster: { mode: 'existing', context: 'work', namespaces: 'existing' },
      guestbook,
      loki: { mode: 'ha', objectStorage: { bucket: 'events', credentialsSecret: 'bucket-key' } },
      grafana: { adminSecret: 'admin' },
    }),
    lock: readLock(''),
    env: { PATH: [folder, process.env.PATH].join(delimiter) },
  }
  try {
    await requireClusterPrerequisites(context)
    return undefined
  } catch (error) {
    if (error instanceof LabError) return error
    throw error
  }
}

const keys = 'AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY '
const all = { 'namespace monitoring': 'x', 'secret bucket-key': keys, 'secret admin': 'admin-user admin-password ' }

it('accepts a cluster that has everything', async () => {
  expect(await errorWith(all)).toBeUndefined()
})

it('names a missing namespace, with the level that its pods need', async () => {
  expect(await errorWith({})).toMatchObject({
    found: 'The namespace monitoring does not exist, but cluster.namespaces is existing',
    next: './lab kubectl create namespace monitoring && ./lab kubectl label namespace monitoring pod-security.kubernetes.io/enforce=privileged',
  })
})

it('names a missing Secret, and the setting that names it', async () => {
  const { 'secret bucket-key': _, ...others } = all
  expect(await errorWith(others)).toMatchObject({
    found:
      'The Secret bucket-key does not exist in the namespace monitoring, but loki.objectStorage.credentialsSecret names it',
    next: './lab kubectl create secret generic bucket-key -n monitoring --from-literal=AWS_ACCESS_KEY_ID=… --from-literal=AWS_SECRET_ACCESS_KEY=…',
  })
})

it('names the keys that a Secret lacks', async () => {
  expect(await errorWith({ ...all, 'secret admin': 'admin-user password ' })).toMatchObject({
    found: 'The Secret monitoring/admin has no admin-password',
    next: expect.stringMatching(/^\.\/lab kubectl delete secret admin -n monitoring && \.\/lab kubectl create secret/),
  })
})

describe('the original images of the guestbook, which are published only for amd64', () => {
  const upstream = { images: 'upstream' }
  const objects = { ...all, 'namespace application': 'x' }
  const node = (architecture: string, spec = {}) => ({ spec, status: { nodeInfo: { architecture } } })
  const nodes = (...items: object[]) => ({ ...objects, nodes: JSON.stringify({ items }) })

  it('are refused where a node that accepts pods has another architecture', async () => {
    expect(await errorWith(nodes(node('amd64'), node('arm64')), upstream)).toMatchObject({
      found: `The image ${imageRef(readLock('').images['guestbook-frontend'])} is not published for linux/arm64`,
      next: './lab pulumi config set --path tetragon-lab:guestbook.images lab',
    })
  })

  it('are accepted where all pods run on amd64', async () => {
    const tainted = node('arm64', { taints: [{ effect: 'NoSchedule' }] })
    expect(await errorWith(nodes(node('amd64'), tainted), upstream)).toBeUndefined()
  })

  it('are not looked up for the images of the lab', async () => {
    expect(await errorWith(objects, {})).toBeUndefined()
  })
})
