import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { allDashboards } from '../../../dashboards/index.ts'
import { projectDir } from '../../../shared/paths.ts'

const folder = join(projectDir, 'docs', 'pictures')
const files = readdirSync(folder)
const kilobytes = (file: string): number => statSync(join(folder, file)).size / 1000

it('there is a picture of every dashboard in both themes and two widths, and none of a dashboard that is gone', () => {
  const expected = allDashboards().flatMap(({ dashboard }) =>
    ['light-1600', 'light-1100', 'dark-1600', 'dark-1100'].map(view => `${dashboard.uid}-${view}.png`),
  )
  expect(files.filter(file => file.endsWith('.png')).toSorted()).toEqual(expected.toSorted())
})

it('the recordings of the terminal stay below 500 kB, and all pictures together below 6 MB', () => {
  const recordings = files.filter(file => file.endsWith('.svg'))
  expect(recordings.length).toBe(2)
  for (const file of recordings) expect(kilobytes(file), file).toBeLessThan(500)
  expect(files.reduce((sum, file) => sum + kilobytes(file), 0)).toBeLessThan(6000)
})
