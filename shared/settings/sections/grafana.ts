import { z } from 'zod'
import { optionalName, optionalUrl, patternText, resources, secretName, texts } from './values.ts'

const database = z.strictObject({
  type: z
    .enum(['none', 'postgres', 'mysql'])
    .default('none')
    .describe(
      'Where Grafana stores users and sessions: `none` is a file in the pod. Several replicas need a database.',
    ),
  host: patternText(
    /^([^\s:/]+(:\d{1,5})?)?$/,
    'a host, with its port if it is not the usual one, as in db.example.org:5432',
  )
    .default('')
    .describe('Address of the database server.')
    .meta({ examples: ['db.example.org:5432'] }),
  name: z
    .string()
    .min(1)
    .meta({ allowed: 'text that is not empty' })
    .default('grafana')
    .describe('Name of the database.'),
  credentialsSecret: secretName(
    'grafana-database',
    'the credentials',
    '`username`, `password` and `secret-key` (32 random characters, which encrypt what Grafana stores)',
  ),
  tls: z
    .enum(['require', 'verify-full', 'disable'])
    .default('require')
    .describe("Encryption of the connection. `verify-full` also checks the server's certificate."),
})

const ingress = z.strictObject({
  host: patternText(/^([a-z0-9-]+(\.[a-z0-9-]+)*)?$/, 'a host name, as in grafana.example.org')
    .default('')
    .describe('Host name under which an Ingress publishes Grafana. If it is empty, there is no Ingress.')
    .meta({ examples: ['grafana.example.org'] }),
  className: optionalName().describe("Class of the Ingress. If it is empty, the cluster's default."),
  tlsSecret: optionalName().describe(
    'Name of the Secret in the namespace `monitoring` with the certificate of that host. cert-manager creates it if `grafana.ingress.annotations` names an issuer.',
  ),
  annotations: texts('texts by name, as in {"cert-manager.io/cluster-issuer":"letsencrypt"}')
    .describe('Annotations of the Ingress.')
    .meta({ examples: [{ 'cert-manager.io/cluster-issuer': 'letsencrypt' }] }),
})

const oidc = z.strictObject({
  name: z
    .string()
    .min(1)
    .meta({ allowed: 'text that is not empty' })
    .default('OIDC')
    .describe('Name on the sign-in button.'),
  clientId: z
    .string()
    .default('')
    .describe(
      'Client id at your identity provider (OpenID Connect). If it is empty, users sign in with a password only.',
    )
    .meta({ examples: ['grafana'] }),
  clientSecret: secretName('grafana-oidc', 'the secret of that client', '`client-secret`'),
  authUrl: optionalUrl()
    .describe('Authorization endpoint of the provider.')
    .meta({ examples: ['https://id.example.org/authorize'] }),
  tokenUrl: optionalUrl()
    .describe('Token endpoint of the provider.')
    .meta({ examples: ['https://id.example.org/token'] }),
  userInfoUrl: optionalUrl()
    .describe('UserInfo endpoint of the provider.')
    .meta({ examples: ['https://id.example.org/userinfo'] }),
  scopes: z.string().default('openid profile email').describe('Scopes to request.'),
  rolePath: z
    .string()
    .default('')
    .describe(
      'JMESPath that turns the claims of a user into a Grafana role. If it is empty, everyone who signs in is a viewer.',
    )
    .meta({ examples: ["contains(groups[*], 'security') && 'Editor' || 'Viewer'"] }),
  only: z
    .boolean()
    .default(false)
    .describe(
      'Hide the form for user and password on the sign-in page. The API still accepts the password of the admin.',
    )
    .meta({ examples: [true] }),
})

/** Dashboards and sign-in. */
export const grafana = z.strictObject({
  user: z
    .string()
    .min(1)
    .meta({ allowed: 'text that is not empty' })
    .default('admin')
    .describe('Name of the user who signs in.'),
  password: z
    .string()
    .default('')
    .describe(
      'Password of that user. If it is empty, the first `up` creates one and stores it in `.lab/grafana-password`.',
    ),
  adminSecret: secretName(
    'grafana-admin',
    'that user and password, instead of the two settings',
    '`admin-user` and `admin-password`',
  ),
  anonymous: z.boolean().default(false).describe('Allow anyone on this machine to view dashboards without signing in.'),
  replicas: z
    .int()
    .min(1)
    .max(10)
    .default(1)
    .describe('Number of replicas. More than one need `grafana.database`, so that they share users and sessions.'),
  database: database.prefault({}),
  ingress: ingress.prefault({}),
  oidc: oidc.prefault({}),
  resources: resources('Grafana', { cpu: '50m', memory: '512Mi', memoryLimit: '768Mi' }),
})
