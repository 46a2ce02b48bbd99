import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { caseStudy } from './case-study.ts'
import { classroom } from './class.ts'
import { guestbook } from './guestbook.ts'
import { logs } from './logs.ts'
import { security } from './security.ts'
import { tetragonHealth } from './tetragon-health.ts'

/** A dashboard and where it goes. */
export interface LabDashboard {
  /** Name of its JSON file. */
  file: string
  /** Folder in Grafana. */
  folder: string
  /** In Grafana's classic schema, the only one that is read from files. */
  dashboard: Dashboard
}

/** Every dashboard of the lab, built anew, in the order in which one leads to the next. */
export const allDashboards = (): LabDashboard[] =>
  [caseStudy(), security(), guestbook(), logs(), tetragonHealth(), classroom()].map(dashboard => ({
    file: `${dashboard.uid}.json`,
    folder: 'Tetragon Lab',
    dashboard,
  }))

/** A dashboard as its file: two spaces, a line feed at the end, the same for the same dashboard. */
export const dashboardJson = (dashboard: Dashboard): string => `${JSON.stringify(dashboard, null, 2)}\n`
