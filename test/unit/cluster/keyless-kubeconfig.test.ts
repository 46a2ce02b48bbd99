import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { writeKeylessKubeconfig } from '../../../scripts/cluster/keyless-kubeconfig.ts'
import { keylessKubeconfigFile, kubeconfigFile, providerKubeconfig } from '../../../shared/kubeconfig.ts'
import { newFolder } from '../support/folders.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const user = { 'client-certificate-data': base64('the certificate'), 'client-key-data': base64('the key') }
const config = {
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'kind-lab',
  clusters: [
    { name: 'kind-lab', cluster: { server: 'https://127.0.0.1:34567', 'certificate-authority-data': 'Q0E=' } },
  ],
  contexts: [{ name: 'kind-lab', context: { cluster: 'kind-lab', user: 'kind-lab' } }],
  users: [{ name: 'kind-lab', user }],
}

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
  writeFileSync(kubeconfigFile(), stringify(config))
})
afterEach(() => vi.unstubAllEnvs())

it('has no key, and the same cluster and context as the kubeconfig', () => {
  writeKeylessKubeconfig()
  const text = readFileSync(keylessKubeconfigFile(), 'utf8')
  for (const secret of Object.values(user)) expect(text).not.toContain(secret)
  const { clusters, contexts } = parse(text) as typeof config
  expect({ clusters, contexts }).toEqual({ clusters: config.clusters, contexts: config.contexts })
  expect(statSync(keylessKubeconfigFile()).mode & 0o777).toBe(0o600)
})

it('names a command that prints the certificate and the key', () => {
  writeKeylessKubeconfig()
  const [first] = parse(readFileSync(keylessKubeconfigFile(), 'utf8')).users as {
    user: { exec: { command: string; args: string[]; env: { name: string; value: string }[] } }
  }[]
  const { command, args, env } = first!.user.exec
  const added = Object.fromEntries(env.map(({ name, value }) => [name, value]))
  const printed = execFileSync(command, args, { encoding: 'utf8', env: { PATH: process.env.PATH, ...added } })
  expect(JSON.parse(printed)).toMatchObject({
    kind: 'ExecCredential',
    status: { clientCertificateData: 'the certificate', clientKeyData: 'the key' },
  })
})

it('is for a Pulumi outside the environment of the lab only', () => {
  vi.stubEnv('KUBECONFIG', kubeconfigFile())
  expect(providerKubeconfig()).toBe('')
  vi.stubEnv('KUBECONFIG', '/home/ada/.kube/config')
  expect(providerKubeconfig()).toBe(keylessKubeconfigFile())
})
