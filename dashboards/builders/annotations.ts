import type { AnnotationQuery } from '@grafana/grafana-foundation-sdk/dashboard'
import { colors } from './colors.ts'
import { blocked, markText, violations } from './filters.ts'
import { dataSources, logql } from './queries.ts'

/** More marks would hide the graphs. */
const mostMarks = 30

/** An annotation that Grafana's data source for Loki draws. */
interface LogAnnotation extends AnnotationQuery {
  /** Limits the lines that are marked, the newest first. The data source ignores the limit in `target`. */
  maxLines: number
}

/** Marks the newest lines of a LogQL query on every graph of a dashboard. The line is the mark's text. */
function logAnnotation(name: string, color: keyof typeof colors, expr: string): LogAnnotation {
  return {
    name,
    datasource: dataSources.loki,
    enable: true,
    iconColor: colors[color],
    expr,
    maxLines: mostMarks,
    titleFormat: name,
    tagKeys: 'k8s_namespace_name',
    target: logql(expr).maxLines(mostMarks).refId('marks').build(),
  }
}

/** Marks what was blocked. */
export const blockedMarks = (): AnnotationQuery => logAnnotation('Blocked', 'red', `${blocked} ${markText}`)

/** Marks violations tagged high or critical. Off until somebody turns it on: there can be hundreds. */
export const violationMarks = (): AnnotationQuery => ({
  ...logAnnotation('Violations', 'amber', `${violations.replace('warn|', '')} ${markText}`),
  enable: false,
})
