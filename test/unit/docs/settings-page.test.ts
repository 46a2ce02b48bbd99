import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { settingsPage, settingsPageFile } from '../../../scripts/docs/settings-page.ts'

it('docs/reference/settings.md matches the schema', () => {
  expect(readFileSync(settingsPageFile, 'utf8'), 'run: npm run docs').toBe(settingsPage())
})
