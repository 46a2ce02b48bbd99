import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { lintPolicy } from '../../../scripts/policy/lint/lint.ts'
import { atStage } from '../../../scripts/policy/rollout.ts'
import { policyFolder, policyNames } from '../../../shared/policy-file.ts'

interface Policy {
  kind: string
  metadata: { name: string; namespace?: string }
  spec: { podSelector?: { matchLabels?: object }; options?: { name: string; value: string }[] }
}
const text = (name: string): string => readFileSync(join(policyFolder, `${name}.yaml`), 'utf8')
const zone = { key: 'topology.kubernetes.io/zone', value: 'eu-1a' }

describe('a policy in monitor mode', () => {
  test.each(['deny-shadow', 'kill-wget', 'block-service-account-token', 'sys-openat-kill'])(
    'made of %s is its twin in policies/',
    name => {
      const [made, twin] = [atStage(text(name), { monitor: true }), text(`${name}-monitor`)].map(
        each => parse(each) as Policy,
      )
      const byName = ({ spec: { options = [], ...spec }, ...rest }: Policy) => ({
        ...rest,
        spec: { ...spec, options: options.toSorted((a, b) => a.name.localeCompare(b.name)) },
      })
      expect(byName(made!)).toEqual(byName(twin!))
    },
  )

  test('replaces the mode that a policy sets', () => {
    const enforcing = text('kill-wget').replace(
      'spec:\n',
      'spec:\n  options: [{ name: policy-mode, value: enforce }]\n',
    )
    const { spec } = parse(atStage(enforcing, { monitor: true })) as Policy
    expect(spec.options).toEqual([{ name: 'policy-mode', value: 'monitor' }])
  })

  test.each(['tcp-connect', 'deny-shadow-monitor'])('that blocks nothing anyway stays the same: %s', name => {
    expect(parse(atStage(text(name), { monitor: true }))).toEqual(parse(text(name)))
  })
})

describe('a policy for some pods', () => {
  test('selects them in addition to those that it selects', () => {
    const { spec } = parse(atStage(text('deny-shadow'), { pods: zone })) as Policy
    expect(spec.podSelector).toEqual({ matchLabels: { app: 'visitor', 'topology.kubernetes.io/zone': 'eu-1a' } })
  })

  test('selects only them if it had no selector', () => {
    expect(parse(text('tcp-connect-container'))).not.toHaveProperty('spec.podSelector')
    const { spec } = parse(atStage(text('tcp-connect-container'), { pods: zone })) as Policy
    expect(spec.podSelector).toEqual({ matchLabels: { 'topology.kubernetes.io/zone': 'eu-1a' } })
  })
})

test.each(policyNames())('%s has no lint error at any stage', name => {
  const stages = [{ monitor: true, pods: zone }, { monitor: true }, { pods: zone }]
  const errors = stages.flatMap(stage =>
    lintPolicy(atStage(text(name), stage), `${name}.yaml`).filter(({ level }) => level === 'error'),
  )
  expect(errors).toEqual([])
})

test('every policy of a file changes, and other objects do not', () => {
  const pod = 'apiVersion: v1\nkind: Pod\nmetadata: { name: bystander }\n'
  const staged = atStage(`${text('kill-wget')}---\n${pod}---\n${text('deny-wget')}`, { monitor: true, pods: zone })
  const objects = parseAllDocuments(staged).map(each => each.toJS() as Policy)
  expect(objects.map(({ metadata }) => metadata.name)).toEqual(['kill-wget-monitor', 'bystander', 'deny-wget-monitor'])
  expect(objects[1]).toEqual(parse(pod))
  // Comments stay, for the reader of the Git repository.
  expect(staged).toContain('# Shows:')
})
