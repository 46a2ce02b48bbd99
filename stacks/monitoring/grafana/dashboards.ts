import { allDashboards, type LabDashboard } from '../../../dashboards/index.ts'
import type { Settings } from '../../../shared/settings/schema.ts'

/** Returns the dashboards of a lab. The first is Grafana's home page. */
export const labDashboards = ({ guestbook }: Pick<Settings, 'guestbook'>): LabDashboard[] =>
  allDashboards({ application: guestbook.enabled })
