import * as pulumi from '@pulumi/pulumi'
import { accessByService } from '../shared/addresses.ts'
import { kubeconfigFile } from '../shared/kubeconfig.ts'
import type { Lab } from '../shared/lab.ts'
import { grafanaPassword } from '../shared/secrets.ts'

/** Returns what `pulumi stack output` shows: how to reach each service, and how to sign in. */
export const stackOutputs = ({ settings, source }: Lab) => ({
  addresses: accessByService(settings),
  source,
  kubeconfig: kubeconfigFile(),
  grafanaUser: settings.grafana.user,
  grafanaPassword: pulumi.secret(grafanaPassword(settings)),
})
