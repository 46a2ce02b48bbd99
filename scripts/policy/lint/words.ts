import type { Path } from '../../../shared/validation/yaml-source.ts'
import type { Rule } from './rule.ts'

// Names, messages and tags.

/** Tags that the pipeline turns into a severity. */
export const severityTags = ['severity.info', 'severity.low', 'severity.medium', 'severity.high', 'severity.critical']

/** RFC 1123 subdomain, as Kubernetes wants names. */
const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

const tagsOf = (spec: Record<string, unknown>): string[] => (Array.isArray(spec.tags) ? spec.tags.map(String) : [])

export const wordRules: Rule[] = [
  {
    id: 'name',
    level: 'error',
    why: 'The API server takes lower-case letters, digits, dashes and dots, 253 at most. The name is also a metric label and a folder of the agent.',
    check({ name, namespace }, report) {
      const path: Path = ['metadata', 'name']
      if (namespace !== undefined && !(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace) && namespace.length <= 63))
        report(
          ['metadata', 'namespace'],
          `${JSON.stringify(namespace)} is no name for a namespace`,
          `write ${suggestion(namespace)}`,
        )
      if (!name) report(path, 'no name', 'add metadata.name')
      else if (!dnsName.test(name) || name.length > 253)
        report(path, `${JSON.stringify(name)} is no name for an object`, `write ${suggestion(name)}`)
    },
  },
  {
    id: 'cluster-namespace',
    level: 'error',
    why: 'A TracingPolicy is for the whole cluster, and metadata.namespace on it is passed over: it reaches further than it reads.',
    check({ kind, namespace }, report) {
      if (kind === 'TracingPolicy' && namespace)
        report(
          ['metadata', 'namespace'],
          `namespace ${namespace} on a TracingPolicy`,
          'write kind: TracingPolicyNamespaced, or drop the namespace',
        )
    },
  },
  {
    id: 'no-namespace',
    level: 'warn',
    why: 'A TracingPolicyNamespaced without a namespace lands in whichever one kubectl happens to point at, and the agent refuses it as a file.',
    check({ kind, namespace }, report) {
      if (kind === 'TracingPolicyNamespaced' && !namespace)
        report(['metadata'], 'no namespace', 'add metadata.namespace, as in namespace: application')
    },
  },
  {
    id: 'message-length',
    level: 'warn',
    why: 'A message is cut after 256 characters, and one of a single character is refused.',
    check({ hooks }, report) {
      for (const { path, spec } of hooks) {
        const length = Buffer.byteLength(typeof spec.message === 'string' ? spec.message : '')
        if (length > 256) report([...path, 'message'], `a message of ${length} characters`, 'say it in 256')
        if (length === 1) report([...path, 'message'], 'a message of one character', 'say what happened', 'error')
      }
    },
  },
  {
    id: 'tags',
    level: 'error',
    why: 'A hook takes 16 tags of 2 to 128 characters; the agent refuses more and shorter ones, and cuts longer ones.',
    check({ hooks }, report) {
      for (const { path, spec } of hooks) {
        const tags = tagsOf(spec)
        if (tags.length > 16) report([...path, 'tags'], `${tags.length} tags`, 'keep 16 of them')
        for (const [index, tag] of tags.entries()) {
          if (tag.length < 2)
            report([...path, 'tags', index], `tag ${JSON.stringify(tag)} is too short`, 'write two characters at least')
          if (tag.length > 128)
            report([...path, 'tags', index], `a tag of ${tag.length} characters`, 'write 128 at most', 'warn')
        }
      }
    },
  },
  {
    id: 'severity-tag',
    level: 'warn',
    why: 'Tetragon has no field for severity. The pipeline reads it from a tag, and an event without one is information.',
    check({ hooks }, report) {
      for (const { path, name, spec } of hooks) {
        const tags = tagsOf(spec)
        const severities = tags.filter(tag => tag.startsWith('severity.'))
        const unknown = severities.filter(tag => !severityTags.includes(tag))
        const fix = `add one of ${severityTags.join(', ')} to its tags`
        if (unknown.length > 0) report([...path, 'tags'], `${unknown.join(' and ')} is no severity`, fix)
        else if (severities.length > 1) report([...path, 'tags'], `${severities.join(' and ')} on one hook`, 'keep one')
        else if (severities.length === 0) report(path, `${name || 'a hook'} has no severity`, fix)
      }
    },
  },
]

const suggestion = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 253) || 'my-policy'
