import type { Settings } from '../../../shared/settings/schema.ts'
import { type GrafanaPart, secretEnv } from './part.ts'

type Database = Settings['grafana']['database']

/** How MySQL's driver calls what Postgres calls `sslmode`. */
const mysqlTls: Record<Database['tls'], string> = { require: 'skip-verify', 'verify-full': 'true', disable: 'false' }

/**
 * Returns the part of Grafana that stores users and sessions in a database; nothing without one. It also sets
 * the key that encrypts the users' tokens in the database, because Grafana's default key is public.
 */
export function databasePart({ grafana }: Settings): GrafanaPart {
  const { type, host, name, tls, credentialsSecret } = grafana.database
  if (type === 'none') return {}
  return {
    ini: { database: { type, host, name, ssl_mode: type === 'mysql' ? mysqlTls[tls] : tls } },
    env: {
      GF_DATABASE_USER: secretEnv(credentialsSecret, 'username'),
      GF_DATABASE_PASSWORD: secretEnv(credentialsSecret, 'password'),
      GF_SECURITY_SECRET_KEY: secretEnv(credentialsSecret, 'secret-key'),
    },
  }
}
