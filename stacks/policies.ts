import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import { parse } from 'yaml'
import { LabError } from './error.ts'
import type { Lab } from './lab.ts'
import { projectDir } from './paths.ts'
import { configNamespace } from './settings.ts'

/** A TracingPolicy as it stands in its file. */
export interface PolicyDocument {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string }
  spec: Record<string, unknown>
}

/**
 * The TracingPolicies that are loaded with the lab, each from its file in `policies/`.
 * That the API server takes one does not mean that the agent has loaded it: `lab up` asks the agent at its end, and `lab verify` again.
 */
export class Policies extends pulumi.ComponentResource {
  constructor(
    name: string,
    { lab, tetragon, namespace }: { lab: Lab; tetragon: pulumi.Resource; namespace: pulumi.Resource },
    options: pulumi.ComponentResourceOptions,
  ) {
    super('lab:policies:Policies', name, {}, options)
    for (const file of lab.settings.policies.apply) {
      const { apiVersion, kind, metadata, spec } = readPolicy(file)
      new k8s.apiextensions.CustomResource(
        `${name}-${file}`,
        { apiVersion, kind, metadata, spec },
        { parent: this, dependsOn: [tetragon, namespace] },
      )
    }
    this.registerOutputs({})
  }
}

const folder = join(projectDir, 'policies')

/**
 * Reads one file of `policies/`.
 * @throws LabError when there is no such file.
 */
export function readPolicy(name: string): PolicyDocument {
  const file = join(folder, `${name}.yaml`)
  if (!existsSync(file))
    throw new LabError({
      found: `policies.apply names ${name}, but there is no policies/${name}.yaml`,
      expected: `some of ${readdirSync(folder)
        .filter(entry => entry.endsWith('.yaml'))
        .map(entry => basename(entry, '.yaml'))
        .join(', ')}`,
      next: `./lab pulumi config rm --path ${configNamespace}:policies.apply`,
    })
  return parse(readFileSync(file, 'utf8')) as PolicyDocument
}
