import * as pulumi from '@pulumi/pulumi'
import { accessByService } from '../shared/addresses.ts'
import { kubeconfigFile } from '../shared/kubeconfig.ts'
import type { Lab } from '../shared/lab.ts'
import { grafanaPassword } from '../shared/secrets.ts'
import { secretNamespace } from '../shared/settings/named-secrets.ts'
import type { Settings } from '../shared/settings/schema.ts'

/** Returns what `pulumi stack output` shows: how to reach each service, and how to sign in. */
export const stackOutputs = ({ settings, source }: Lab) => ({
  addresses: accessByService(settings),
  source,
  kubeconfig: kubeconfigFile(),
  ...signIn(settings),
})

/** The password of a Secret that the user has made does not pass through Pulumi. */
function signIn(settings: Settings) {
  const { user, adminSecret } = settings.grafana
  if (adminSecret === '')
    return { grafanaUser: user, grafanaPassword: pulumi.secret(grafanaPassword(settings)) as pulumi.Output<string> }
  const where = `in the Secret ${secretNamespace}/${adminSecret}`
  return { grafanaUser: where, grafanaPassword: where }
}
