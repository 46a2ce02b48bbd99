import { expect, test } from 'vitest'
import { compare } from '../../production/support/events.ts'
import { changesBetween } from '../../production/support/inventory.ts'
import { testSettings } from '../../production/support/production-lab.ts'
import { chosenParts, parts } from '../../production/support/run.ts'

// What the suite `production` counts with, which needs no cluster.

test('an event that is not stored is lost, one stored twice is a copy, and one that nobody wrote is unknown', () => {
  const written = new Map([
    ['a', 1],
    ['b', 1],
    ['c', 2],
  ])
  expect(compare(written, ['a', 'b', 'c', 'c'])).toEqual({ lost: 0, copies: 0, unknown: 0 })
  expect(compare(written, ['a', 'c', 'a', 'x'])).toEqual({ lost: 2, copies: 1, unknown: 1 })
  expect(compare(written, [])).toEqual({ lost: 4, copies: 0, unknown: 0 })
})

test('an object with another uid is gone and added', () => {
  expect(changesBetween(['pods a/b 1', 'pods a/c 2'], ['pods a/b 1', 'pods a/c 3'])).toEqual({
    gone: ['pods a/c 2'],
    added: ['pods a/c 3'],
  })
})

test('parts run in their order, all of them by default, and an unknown one is an error', () => {
  expect(chosenParts('')).toEqual([...parts])
  expect(chosenParts('total,kill-node')).toEqual(['kill-node', 'total'])
  expect(() => chosenParts('kill-nodes')).toThrow('kill-nodes')
})

test('the settings of the suite are those of Pulumi.production.yaml, made small, and valid', () => {
  const settings = testSettings()
  expect(settings.loki).toMatchObject({ mode: 'ha', replicas: 3, objectStorage: { pathStyle: true } })
  expect(settings.pipeline.gateway.replicas).toBe(2)
  expect(settings.prometheus.replicas).toBe(2)
  expect(settings.cluster).toMatchObject({ mode: 'existing', namespaces: 'existing', priorityClasses: true })
})
