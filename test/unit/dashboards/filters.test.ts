import { expect, test } from 'vitest'
import { connections, sensitiveFiles } from '../../../dashboards/builders/filters.ts'
import { panelQueries, panelsOf } from '../../../dashboards/panel-queries.ts'
import { security } from '../../../dashboards/security.ts'

test('a connection counts once, however many policies report it', () => {
  for (const { expr } of panelQueries(security()).filter(({ expr: query }) => query.includes('tcp_connect')))
    expect(expr).toContain('tetragon_policy_name="tcp-connect"')
})

test.each([
  ['security_file_open', true],
  ['fd_install', true],
  ['file_open', true],
  ['__x64_sys_openat', true],
  ['security_inode_unlink', true],
  ['tcp_connect', false],
  ['security_bprm_check', false],
])('a violation in %s is a violation on a file: %s', (name, expected) => {
  const [, expression] = /tetragon_function_name=~"([^"]+)"/.exec(sensitiveFiles)!
  expect(new RegExp(`^(?:${expression})$`).test(name)).toBe(expected)
})

test.each([
  ['10.0.0.1 -> 93.184.216.34:443', '93.184.216.34'],
  ['::1 -> 2606:2800:21f:cb07::1:443', '2606:2800:21f:cb07::1'],
  ['10.0.0.1 -> ::ffff:10.96.0.1:443', '10.96.0.1'],
])('the remote address of %s is %s', (args, peer) => {
  const steps = [...connections.matchAll(/regexReplaceAll "([^"]+)"/g)].map(
    ([, expression]) => new RegExp(expression!, 'g'),
  )
  expect(steps).toHaveLength(2)
  expect(steps.reduce((text, step) => text.replaceAll(step, ''), args)).toBe(peer)
})

test('the process tree is sorted by time and shows the pod', () => {
  const tree = panelsOf(security()).find(panel => panel.title === 'Process tree of the selected pods')!
  expect(tree.options).toMatchObject({ sortOrder: 'Ascending' })
  expect(JSON.stringify(tree.targets)).toContain('.k8s_pod_name')
})
