import type { Path } from '../../../shared/validation/yaml-source.ts'
import { tagsOf } from '../model/policy-model.ts'
import type { Rule } from './rule.ts'

// Names, namespaces, messages and tags.

/** The tags that the pipeline turns into a severity, the lowest first. */
export const severityTags = ['severity.info', 'severity.low', 'severity.medium', 'severity.high', 'severity.critical']

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
/** RFC 1123 subdomain, which Kubernetes requires for names of objects. */
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

export const metadataRules: Rule[] = [
  {
    id: 'name',
    level: 'error',
    why: 'The API server accepts lower-case letters, digits, dashes and dots, at most 253. The name is also a metric label and a folder of the agent.',
    check({ name, namespace, metadata }, report) {
      const path: Path = ['metadata', 'name']
      if (namespace !== undefined && !(dnsLabel.test(namespace) && namespace.length <= 63))
        report(
          ['metadata', 'namespace'],
          `${JSON.stringify(namespace)} is not a valid namespace`,
          `Write ${validName(namespace)}`,
        )
      // The schema reports a name that is a number.
      if (!name && typeof (metadata.name ?? '') === 'string')
        report(path, 'The policy has no name', 'Add metadata.name')
      else if (!name) return
      else if (!dnsSubdomain.test(name) || name.length > 253)
        report(path, `${JSON.stringify(name)} is not a valid name`, `Write ${validName(name)}`)
    },
  },
  {
    id: 'cluster-namespace',
    level: 'error',
    why: 'A TracingPolicy applies to the whole cluster. The API server ignores its metadata.namespace, so the policy reaches further than it says.',
    check({ kind, namespace }, report) {
      if (kind === 'TracingPolicy' && namespace)
        report(
          ['metadata', 'namespace'],
          `A TracingPolicy has the namespace ${namespace}`,
          'Write kind: TracingPolicyNamespaced, or remove the namespace',
        )
    },
  },
  {
    id: 'no-namespace',
    level: 'warn',
    why: 'kubectl creates a TracingPolicyNamespaced without a namespace in its current one. The agent refuses such a policy when it reads it from a file.',
    check({ kind, namespace, metadata }, report) {
      // The schema reports a namespace that is a number.
      if (kind === 'TracingPolicyNamespaced' && !namespace && typeof (metadata.namespace ?? '') === 'string')
        report(
          ['metadata'],
          'A TracingPolicyNamespaced has no namespace',
          'Add metadata.namespace, as in namespace: application',
        )
    },
  },
  {
    id: 'message-length',
    level: 'warn',
    why: 'The agent cuts messages after 256 characters, and refuses those of a single character.',
    check({ hooks }, report) {
      for (const { path, spec } of hooks) {
        const length = Buffer.byteLength(typeof spec.message === 'string' ? spec.message : '')
        const place = [...path, 'message']
        if (length > 256) report(place, `The message has ${length} characters`, 'Shorten it to 256')
        if (length === 1) report(place, 'The message has one character', 'Write what happened', 'error')
      }
    },
  },
  {
    id: 'tags',
    level: 'error',
    why: 'A hook can have 16 tags of 2 to 128 characters. The agent refuses more tags and shorter ones, and cuts longer ones.',
    check({ hooks }, report) {
      for (const hook of hooks) {
        const tags = tagsOf(hook)
        const path: Path = [...hook.path, 'tags']
        if (tags.length > 16) report(path, `The hook has ${tags.length} tags`, 'Keep 16 of them')
        for (const [index, tag] of tags.entries()) {
          if (tag.length < 2)
            report([...path, index], `The tag ${JSON.stringify(tag)} is too short`, 'Write at least 2 characters')
          if (tag.length > 128)
            report([...path, index], `A tag has ${tag.length} characters`, 'Write at most 128', 'warn')
        }
      }
    },
  },
  {
    id: 'severity-tag',
    level: 'warn',
    why: 'Tetragon has no field for the severity. The pipeline reads it from a tag, and treats events without one as information.',
    check({ hooks }, report, { foreign }) {
      const missing = foreign ? 'note' : 'warn'
      for (const hook of hooks) {
        const severities = tagsOf(hook).filter(tag => tag.startsWith('severity.'))
        const unknown = severities.filter(tag => !severityTags.includes(tag))
        const path: Path = [...hook.path, 'tags']
        const fix = `Add one of ${severityTags.join(', ')} to its tags`
        if (unknown.length > 0)
          report(
            path,
            `${unknown.join(' and ')} ${unknown.length > 1 ? 'are not severities' : 'is not a severity'}`,
            fix,
          )
        else if (severities.length > 1)
          report(path, `The hook has more than one severity: ${severities.join(' and ')}`, 'Keep one')
        else if (severities.length === 0) report(hook.path, `${hook.name || 'The hook'} has no severity`, fix, missing)
      }
    },
  },
]

/** Returns the nearest valid name. */
const validName = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 253) || 'my-policy'
