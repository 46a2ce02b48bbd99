import type * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../shared/lab.ts'
import { imageRef } from '../../shared/lock.ts'
import { exportFile, releases } from '../../shared/names.ts'
import { priorityClass, updateStrategy } from '../availability.ts'
import type { ComponentArgs } from '../component-args.ts'
import { podResources, restricted, restrictedRoot } from '../pods.ts'
import { release, type Values } from '../release.ts'
import { Replay } from './replay.ts'

/**
 * Tetragon: the agent and its operator, or a replay if the kernel cannot trace. Either way the CRDs are installed,
 * events are written to the same file on the node, and the same metrics are served on port 2112.
 */
export class Tetragon extends pulumi.ComponentResource {
  /** Installs the CRDs, so every TracingPolicy depends on it. */
  readonly release: k8s.helm.v3.Release

  constructor(name: string, { lab, namespace }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:monitoring:Tetragon', name, {}, options)
    this.release = release(
      releases.tetragon,
      { lab, chart: 'tetragon', values: tetragonValues(lab) },
      { parent: this, dependsOn: namespace },
    )
    if (lab.source === 'replay') new Replay(`${name}-replay`, { lab, namespace }, { parent: this })
    this.registerOutputs({})
  }
}

const filters = (list: Record<string, unknown>[]): string => list.map(filter => JSON.stringify(filter)).join('\n')

/** Returns the values of the Tetragon chart. For a replay, it installs only the CRDs. */
export function tetragonValues({ settings, lock, source }: Lab): Values {
  const live = source === 'live'
  const { tetragon } = settings
  return {
    // Installed by the release, so that policies do not have to wait for the operator.
    crds: { installMethod: 'helm' },
    ...priorityClass(settings, 'node'),
    ...updateStrategy(settings),
    exportDirectory: exportFile.directory,
    export: {
      stdout: { image: { override: imageRef(lock.images['tetragon-export-stdout']) } },
      // Unlike the agent, this container only copies a file.
      securityContext: restrictedRoot,
    },
    tetragon: {
      enabled: live,
      image: { override: imageRef(lock.images.tetragon) },
      hostProcPath: settings.cluster.mode === 'create' ? '/procHost' : '/proc',
      exportFilename: exportFile.name,
      exportFileMaxSizeMB: tetragon.exportFile.maxSizeMB,
      exportFileMaxBackups: tetragon.exportFile.maxBackups,
      enableProcessCred: tetragon.enableProcessCred,
      enableProcessNs: tetragon.enableProcessNs,
      processAncestors: { enabled: 'base,kprobe' },
      exportRateLimit: tetragon.exportRateLimit,
      exportAllowList: filters(tetragon.exportAllowList),
      exportDenyList: filters(tetragon.exportDenyList),
      redactionFilters: filters(tetragon.redactionFilters),
      enableKeepSensorsOnExit: tetragon.keepSensorsOnExit,
      prometheus: {
        enabled: true,
        port: 2112,
        metricsLabelFilter: tetragon.metricsLabelFilter.join(','),
      },
      // A debugging server, not needed here.
      gops: { enabled: false },
      resources: podResources(tetragon.resources),
    },
    tetragonOperator: {
      enabled: live,
      ...priorityClass(settings, 'storage'),
      image: { override: imageRef(lock.images['tetragon-operator']) },
      containerSecurityContext: { seccompProfile: restricted.seccompProfile },
      resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
    },
    rthooks: {
      enabled: live && tetragon.runtimeHooks,
      ...priorityClass(settings, 'node'),
      interface: 'nri-hook',
      failAllowNamespaces: tetragon.runtimeHooksAllow.join(','),
      image: { override: imageRef(lock.images['tetragon-rthooks']) },
    },
  }
}
