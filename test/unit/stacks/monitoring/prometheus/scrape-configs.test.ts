import { describe, expect, it } from 'vitest'
import { stages } from '../../../../../dashboards/stages.ts'
import { parseSettings } from '../../../../../shared/settings/parser.ts'
import { scrapeConfigs } from '../../../../../stacks/monitoring/prometheus/scrape-configs.ts'

const jobsOf = (given: object) => scrapeConfigs(parseSettings(given)).map(({ job_name }) => job_name)

describe('the scrape configurations', () => {
  it('have no job for parts that a lab does not have', () => {
    expect(jobsOf({})).toEqual(['tetragon', 'loki', 'opentelemetry-collector', 'fluent-bit', 'guestbook'])
    expect(jobsOf({ guestbook: { enabled: false } })).not.toContain('guestbook')
  })

  it('count an event once although it passes the shipper and a gateway', () => {
    const collectors = scrapeConfigs(parseSettings({ pipeline: { gateway: { replicas: 2 } } })).filter(({ job_name }) =>
      job_name.startsWith('opentelemetry-collector'),
    )
    /** Returns the metric as Prometheus stores it, from the shipper and from the gateway. */
    const stored = (metric: string) =>
      collectors.map(config => {
        const [rule] = 'metric_relabel_configs' in config ? config.metric_relabel_configs : []
        return metric.replace(new RegExp(`^(?:${rule!.regex})$`), rule!.replacement!)
      })
    const countedAs = (metric: string, selector: string) => {
      const pattern = new RegExp(`^(${/__name__=~"([^"]+)"/.exec(selector)![1]})$`)
      return stored(metric).filter(name => pattern.test(name)).length
    }
    for (const suffix of ['', '_total']) {
      expect(countedAs(`otelcol_receiver_accepted_log_records${suffix}`, stages.shipper.passed)).toBe(1)
      expect(countedAs(`otelcol_exporter_sent_log_records${suffix}`, stages.delivery.passed)).toBe(1)
    }
    // What the shipper reads, and what the gateway delivers.
    expect(stored('otelcol_receiver_accepted_log_records')[0]).toBe('otelcol_receiver_accepted_log_records')
    expect(stored('otelcol_exporter_sent_log_records')[1]).toBe('otelcol_exporter_sent_log_records')
  })
})
