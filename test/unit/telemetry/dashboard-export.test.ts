import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { allDashboards } from '../../../dashboards/index.ts'
import { panelQueries } from '../../../dashboards/panel-queries.ts'
import { exportDashboards, listDashboards } from '../../../scripts/telemetry/dashboard-export.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { newFolder } from '../support/folders.ts'

const dashboards = allDashboards()

test('writes each dashboard to the path that it returns', () => {
  const root = newFolder()
  const files = exportDashboards(root)
  expect(files).toEqual(dashboards.map(entry => join(root, entry.folder, entry.file)))
  expect(readdirSync(join(root, 'Tetragon Lab')).length).toBe(dashboards.length)
  for (const [index, path] of files.entries())
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(dashboards[index]!.dashboard)
})

test('does not overwrite an existing file', () => {
  const path = join(newFolder(), 'taken')
  writeFileSync(path, 'mine')
  expect(() => exportDashboards(path)).toThrow(LabError)
  expect(readFileSync(path, 'utf8')).toBe('mine')
})

test('lists the exported dashboards with their numbers of queries', () => {
  const rows = listDashboards()
  expect(rows.map(({ uid }) => uid)).toEqual(dashboards.map(({ dashboard }) => dashboard.uid))
  for (const row of rows) {
    const { dashboard } = dashboards.find(entry => entry.dashboard.uid === row.uid)!
    expect(row.queries).toBe(panelQueries(dashboard).length)
  }
})
