import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { marked, type Tokens } from 'marked'
import { describe, expect, it } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'
import { podSecurityExceptions } from '../../../shared/pod-security.ts'
import { settingRows } from '../../../shared/settings/setting-rows.ts'

// SECURITY.md must match the program: its table of exceptions, and the settings and files that it names.

const page = readFileSync(join(projectDir, 'SECURITY.md'), 'utf8')
const tables = marked.lexer(page).filter((token): token is Tokens.Table => token.type === 'table')

describe('SECURITY.md', () => {
  it('names every exception to the restricted level, with the reason', () => {
    const table = tables.find(({ header }) => header[0]!.text === 'workload')!
    expect(table.rows.map(cells => cells.map(({ text }) => text))).toEqual(
      podSecurityExceptions.map(({ namespace, workload, breaks, why, only }) => [
        `${namespace}/${workload}`,
        breaks.join(', '),
        why,
        only?.setting ?? '',
      ]),
    )
  })

  it('names only settings that exist', () => {
    const paths = settingRows().map(({ path }) => path)
    const sections = new Set(paths.map(path => path.split('.')[0]))
    const named = [...page.matchAll(/`([a-z]+(?:\.[A-Za-z]+)+)(?:: [\w-]+)?`/g)]
      .map(([, path]) => path!)
      .filter(path => sections.has(path.split('.')[0]!) && !path.endsWith('.yaml'))
    expect(named.length).toBeGreaterThan(6)
    for (const path of named)
      expect(
        paths.some(known => known === path || known.startsWith(`${path}.`)),
        path,
      ).toBe(true)
  })

  it('says what network policies stop, and on which kernels they stop nothing', () => {
    const section = page.slice(page.indexOf('[NetworkPolicies]'), page.indexOf('`cluster.networkPolicies: false`'))
    expect(section).toMatch(/Pods\s+in `application` reach neither .*, nor the node and its API server/)
    expect(section).toMatch(/WSL 2 lack .*`ct` and `queue`.*silently enforces nothing\]\(\S*kind\/issues\/3705\)/s)
  })

  it('is linked from the README and from the page on architecture', () => {
    expect(readFileSync(join(projectDir, 'README.md'), 'utf8')).toContain('(SECURITY.md)')
    expect(readFileSync(join(projectDir, 'docs', 'architecture.md'), 'utf8')).toContain('(../SECURITY.md)')
  })
})
