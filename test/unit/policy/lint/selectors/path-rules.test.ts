import { describe, expect, test } from 'vitest'
import { lintPolicy } from '../../../../../scripts/policy/lint/lint.ts'
import { readTestPolicy } from '../../../support/policies.ts'

describe('linked-path', () => {
  test.each<[string, string | undefined]>([
    ['/proc/self/environ', 'Write operator: Postfix and /environ'],
    ['/proc/self', 'Write operator: Postfix and /self'],
    ['/etc/mtab', 'Write operator: Postfix and /mtab'],
    ['/dev/stdin', 'Hook the operation on the file, not its name'],
    ['/etc/os-release', 'Name both, /etc/os-release and /usr/lib/os-release'],
    ['/bin/bash', 'Name both, /bin/bash and /usr/bin/bash'],
    ['/proc/1/environ', undefined],
    ['/etc/shadow', undefined],
  ])('the fix for %s is %j', (path, fix) => {
    const text = readTestPolicy('rules/linked-path/good.yaml').replace(
      /operator: Prefix, values: .*\]/,
      `operator: Equal, values: [${path}]`,
    )
    expect(lintPolicy(text, 'x').map(finding => finding.fix)).toEqual(fix === undefined ? [] : [fix])
  })
})

describe('relative-path', () => {
  const text = readTestPolicy('rules/relative-path/bad.yaml')
  const withValues = (values: string): string => text.replace(/values: \[.*\]/, `values: [${values}]`)

  test.each<[values: string, found: string[]]>([
    ['/etc/shadow, /etc/passwd', []],
    ['shadow', ['error "shadow" is not an absolute path']],
    ['shadow, passwd', ['error "shadow" and 1 more value are not absolute paths']],
    // The filter still works for the absolute path.
    ['/etc/shadow, passwd', ['warn "passwd" is not an absolute path']],
    ['/etc/shadow, passwd, group, hosts', ['warn "passwd" and 2 more values are not absolute paths']],
  ])('reports the values %s as %j', (values, found) => {
    expect(lintPolicy(withValues(values), 'x').map(({ level, message }) => `${level} ${message}`)).toEqual(found)
  })
})
