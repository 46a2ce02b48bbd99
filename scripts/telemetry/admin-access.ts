import { secretNamespace } from '../../shared/settings/named-secrets.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { type ClusterAccess, kubectlJson } from '../cluster/kubectl.ts'
import { type Credentials, GrafanaClient } from './grafana-client.ts'

type Access = ClusterAccess & { settings: Settings }

/**
 * Returns a client that signs in to the lab's Grafana as its admin, whose credentials may be in a Secret of the user's.
 * @throws LabError when that Secret cannot be read.
 */
export const connectToGrafana = async (access: Access): Promise<GrafanaClient> =>
  new GrafanaClient(access.settings, await adminCredentials(access))

async function adminCredentials(access: Access): Promise<Credentials | undefined> {
  const { adminSecret } = access.settings.grafana
  if (adminSecret === '') return undefined
  const { data } = await kubectlJson<{ data: Record<string, string> }>(access, [
    ...['get', 'secret', adminSecret, '--namespace', secretNamespace],
  ])
  const value = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('utf8')
  return { user: value('admin-user'), password: value('admin-password') }
}
