import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import { grafanaAlertGroups } from '../../../dashboards/alerts.ts'
import { allDashboards } from '../../../dashboards/index.ts'
import type { Lab } from '../../../shared/lab.ts'
import { imageParts } from '../../../shared/lock.ts'
import { dataSources, namespaces, nodePorts, releases, services } from '../../../shared/names.ts'
import { grafanaPassword } from '../../../shared/secrets.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import type { ComponentArgs } from '../../component-args.ts'
import { podResources, publicService } from '../../pods.ts'
import { release, type Values } from '../../release.ts'
import { lokiUrl } from '../loki/url.ts'
import { labDashboards } from './dashboards.ts'
import { databasePart } from './database.ts'
import { ingressPart } from './ingress.ts'
import { type GrafanaPart, joinParts } from './part.ts'
import { replicasPart } from './replicas.ts'
import { signInPart } from './sign-in.ts'

/** Grafana with its data sources and dashboards, all mounted as files, so that a new Pod is configured the same. */
export class Grafana extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:monitoring:Grafana', name, {}, options)
    const parent = { parent: this, dependsOn: namespace }
    const admin = lab.settings.grafana.adminSecret === '' ? [createAdmin(`${name}-admin`, lab, parent)] : []
    const folders = dashboardFolders(lab.settings)
    const dashboards = Object.entries(folders).map(
      ([folder, data]) =>
        new k8s.core.v1.ConfigMap(
          `${name}-dashboards-${folderId(folder)}`,
          { metadata: { name: `dashboards-${folderId(folder)}`, namespace: namespaces.monitoring }, data },
          parent,
        ),
    )
    release(
      releases.grafana,
      { lab, chart: 'grafana', values: grafanaValues(lab, Object.keys(folders)) },
      { parent: this, dependsOn: [...admin, ...dashboards] },
    )
    this.registerOutputs({})
  }
}

/** Secret with the user and password of the admin, unless the settings name one. */
const ownAdminSecret = 'grafana-admin'

const createAdmin = (name: string, { settings }: Lab, options: pulumi.CustomResourceOptions): k8s.core.v1.Secret =>
  new k8s.core.v1.Secret(
    name,
    {
      metadata: { name: ownAdminSecret, namespace: namespaces.monitoring },
      stringData: {
        'admin-user': settings.grafana.user,
        'admin-password': pulumi.secret(grafanaPassword(settings)),
      },
    },
    options,
  )

/** Path at which the files of a folder of dashboards are mounted. */
const mountPath = (folder: string): string => `/var/lib/grafana/dashboards/${folderId(folder)}`

const folderId = (folder: string): string => folder.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')

/** Returns the dashboards as files, by folder. */
export function dashboardFolders(settings: Pick<Settings, 'guestbook'>): Record<string, Record<string, string>> {
  const folders: Record<string, Record<string, string>> = {}
  for (const { folder, file, dashboard } of labDashboards(settings)) {
    folders[folder] ??= {}
    folders[folder][file] = JSON.stringify(dashboard)
  }
  return folders
}

/** Returns the values of the Grafana chart. */
export function grafanaValues({ settings, lock }: Lab, folders: string[]): Values {
  const { registry, repository, tag } = imageParts(lock.images.grafana)
  const { ini, env, values } = joinParts([
    basicIni(settings),
    ...[ingressPart, databasePart, signInPart, replicasPart].map(part => part(settings)),
  ])
  return {
    image: { registry, repository, tag },
    admin: {
      existingSecret: settings.grafana.adminSecret || ownAdminSecret,
      userKey: 'admin-user',
      passwordKey: 'admin-password',
    },
    service: publicService(settings, nodePorts.grafana),
    testFramework: { enabled: false },
    // Everything is mounted, so Grafana does not use the API server.
    automountServiceAccountToken: false,
    // Grafana's bundled plugins are processes of their own in the same container, so Grafana's heap gets only part of
    // the limit. The chart sets GOMEMLIMIT to the whole limit; the second definition, here, is the one that counts.
    resources: podResources(settings.grafana.resources),
    envValueFrom: {
      GOMEMLIMIT: { resourceFieldRef: { resource: 'requests.memory', divisor: '1' } },
      ...env,
    },
    readinessProbe: { httpGet: { path: '/api/health', port: 'grafana' }, periodSeconds: 2 },
    'grafana.ini': ini,
    // Evaluated by Grafana because these alerts need Loki.
    alerting: { 'rules.yaml': literal({ apiVersion: 1, groups: grafanaAlertGroups }) },
    datasources: { 'datasources.yaml': dataSourceFile(settings) },
    dashboardProviders: {
      'dashboardproviders.yaml': {
        apiVersion: 1,
        providers: folders.map(folder => ({
          name: folderId(folder),
          orgId: 1,
          folder,
          type: 'file',
          disableDeletion: true,
          allowUiUpdates: true,
          options: { path: mountPath(folder) },
        })),
      },
    },
    dashboardsConfigMaps: Object.fromEntries(
      folders.map(folder => [folderId(folder), `dashboards-${folderId(folder)}`]),
    ),
    ...values,
  }
}

/** Returns the path of the dashboard that Grafana opens first. */
function homePath(): string {
  const [overview] = allDashboards()
  return `${mountPath(overview!.folder)}/${overview!.file}`
}

const basicIni = ({ grafana, cluster }: Settings): GrafanaPart => ({
  ini: {
    // On by default since Grafana 13, where it made memory grow from 0.5 to 2 GB (grafana/grafana#123017).
    server: { enable_gzip: false },
    'auth.anonymous': { enabled: grafana.anonymous, org_role: 'Viewer' },
    // Otherwise Grafana refuses queries from a port that GitHub Codespaces forwards, which has another host name. A page of
    // another site cannot set this header.
    ...(cluster.mode === 'create' && { security: { csrf_additional_headers: 'X-Forwarded-Host' } }),
    // Grafana 13 replaces its bundled data source plugins at start, and loses them without a network.
    plugins: { preinstall_disabled: true, preinstall_auto_update: false },
    analytics: {
      check_for_updates: false,
      check_for_plugin_updates: false,
      reporting_enabled: false,
      feedback_links_enabled: false,
    },
    news: { news_feed_enabled: false },
    dashboards: { default_home_dashboard_path: homePath() },
  },
})

const dataSourceFile = (settings: Settings) => ({
  apiVersion: 1,
  prune: true,
  datasources: [
    {
      name: 'Prometheus',
      uid: dataSources.prometheus,
      type: 'prometheus',
      access: 'proxy',
      isDefault: true,
      url: services.prometheus,
      jsonData: { httpMethod: 'POST', timeInterval: settings.prometheus.scrapeInterval },
    },
    {
      name: 'Loki',
      uid: dataSources.loki,
      type: 'loki',
      access: 'proxy',
      url: lokiUrl(settings),
      jsonData: { maxLines: 1000 },
    },
  ],
})

/** Escapes double braces: the chart renders alert files as Helm templates, but these are Grafana's. */
const literal = <T>(file: T): T => JSON.parse(JSON.stringify(file).replaceAll('{{', '{{ `{{` }}')) as T
