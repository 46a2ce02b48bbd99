import { expect, test } from 'vitest'
import { lintPage } from '../../../scripts/docs/lint-page.ts'
import { kernelFileScript } from '../../../scripts/policy/kernel-file.ts'
import { ruleInfos } from '../../../scripts/policy/lint/lint.ts'

test('every rule has a section with its reason, its source and an example', () => {
  const sections = lintPage().split(/^### /m).slice(1)
  expect(sections.map(section => section.split('\n')[0]).toSorted()).toEqual(ruleInfos.map(({ id }) => id).toSorted())
  for (const section of sections)
    expect(section).toMatch(
      /^[a-z-]+\n\n.{10,}\n\nLevel: \w+\. Source: [[<].+\.\n\n```diff\n(.*\n)*?[-+].+\n(.*\n)*```\n/,
    )
})

test('the page names every section of a kernel file', () => {
  const page = lintPage()
  const sections = [...kernelFileScript().matchAll(/echo '(\[\w+\])'/g)].map(([, name]) => name!)
  expect(sections.length).toBeGreaterThan(4)
  for (const name of sections) expect(page).toContain(`| \`${name}\` |`)
})
