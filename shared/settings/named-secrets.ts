import { namespaces } from '../names.ts'
import type { Settings } from './schema.ts'

/** A Secret that the user creates, and that a setting names. */
export interface NamedSecret {
  setting: string
  name: string
  /** The keys that it must have. */
  keys: string[]
}

/** The namespace of the Secrets that settings name. */
export const secretNamespace = namespaces.monitoring

/**
 * Returns the Secrets that the settings name. The one with the certificate of the Ingress is not among them, because
 * cert-manager can create it later.
 */
export function namedSecrets({ loki, prometheus, grafana }: Settings): NamedSecret[] {
  const { database, oidc } = grafana
  const all: [used: boolean, setting: string, name: string, ...keys: string[]][] = [
    [
      loki.mode === 'ha',
      'loki.objectStorage.credentialsSecret',
      loki.objectStorage.credentialsSecret,
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
    ],
    [
      prometheus.remoteWrite.url !== '',
      'prometheus.remoteWrite.credentialsSecret',
      prometheus.remoteWrite.credentialsSecret,
      'username',
      'password',
    ],
    [true, 'grafana.adminSecret', grafana.adminSecret, 'admin-user', 'admin-password'],
    [
      database.type !== 'none',
      'grafana.database.credentialsSecret',
      database.credentialsSecret,
      'username',
      'password',
      'secret-key',
    ],
    [oidc.clientId !== '', 'grafana.oidc.clientSecret', oidc.clientSecret, 'client-secret'],
  ]
  return all
    .filter(([used, , name]) => used && name !== '')
    .map(([, setting, name, ...keys]) => ({ setting, name, keys }))
}
