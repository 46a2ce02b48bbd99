import type { Settings } from '../../../shared/settings/schema.ts'
import { type GrafanaPart, secretEnv } from './part.ts'

/** Returns the part of Grafana that lets users sign in at an identity provider; nothing without one. */
export function signInPart({ grafana: { oidc } }: Settings): GrafanaPart {
  if (oidc.clientId === '') return {}
  return {
    ini: {
      'auth.generic_oauth': {
        enabled: true,
        name: oidc.name,
        client_id: oidc.clientId,
        scopes: oidc.scopes,
        auth_url: oidc.authUrl,
        token_url: oidc.tokenUrl,
        api_url: oidc.userInfoUrl,
        use_pkce: true,
        // Without a path, every user gets Grafana's default role, which is Viewer.
        ...(oidc.rolePath === '' ? {} : { role_attribute_path: oidc.rolePath }),
      },
      // `lab verify` signs in through the API, which this leaves open.
      auth: { disable_login_form: oidc.only },
    },
    env: { GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET: secretEnv(oidc.clientSecret, 'client-secret') },
  }
}
