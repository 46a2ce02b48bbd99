import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { caseStudy } from './case-study.ts'
import { classroom } from './class.ts'
import { guestbook } from './guestbook.ts'
import { logs } from './logs.ts'
import { overview } from './overview.ts'
import { security } from './security.ts'
import { tetragonHealth } from './tetragon-health.ts'

/** A dashboard, its file and its folder. */
export interface LabDashboard {
  /** Name of the JSON file. */
  file: string
  /** Folder in Grafana. */
  folder: string
  /** In Grafana's classic schema, the only one that Grafana reads from files. */
  dashboard: Dashboard
}

/**
 * Builds every dashboard of the lab. The first is Grafana's home page.
 * @param application whether the lab has the Guestbook, and with it the dashboards about it and about a class
 */
export function allDashboards({ application = true } = {}): LabDashboard[] {
  const others = [
    caseStudy(),
    security(),
    ...(application ? [guestbook()] : []),
    logs(),
    tetragonHealth(),
    ...(application ? [classroom()] : []),
  ]
  const home = overview(others.map(({ uid, title }) => ({ uid: uid!, title: title! })))
  return [home, ...others].map(dashboard => ({
    file: `${dashboard.uid}.json`,
    folder: 'Tetragon Lab',
    dashboard,
  }))
}

/** Formats a dashboard as a JSON file. */
export const dashboardJson = (dashboard: Dashboard): string => `${JSON.stringify(dashboard, null, 2)}\n`
