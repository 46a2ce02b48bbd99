// The pipeline from the kernel to Loki: the metrics that count the events that pass each stage, and those lost there.

/** A stage of the pipeline. Metrics are selectors of counters, without a range. */
export interface Stage {
  name: string
  /** Counts the events that got through. */
  passed: string
  /** Counters of losses, in the order of the pipeline. */
  lost: Loss[]
}

/** A counter of losses. */
export interface Loss {
  /** What happened, after the number of the stage. */
  what: string
  metric: string
  /** Why a count above zero does not mean that an event is lost. It is shown, but raises no alert. */
  noAlarm?: string
}

/**
 * Returns a selector of a metric that has a different name in each shipper and version. Only one of them exists at a
 * time, so a rate over the selector is safe.
 */
const anyOf = (names: string[], ...matchers: string[]): string =>
  `{${[`__name__=~"${names.join('|')}"`, ...matchers].join(', ')}}`

// Events that also go to a SIEM must not count twice, nor must events that Fluent Bit reads back from its own queue.
const toLoki = ['exporter!~".+/siem"', 'name!~"syslog.+|opentelemetry.+"']
// Each shipper sets only one of these labels; the other is empty.
const toSiem = ['exporter=~"(.+/siem)?"', 'name=~"((syslog|opentelemetry).+)?"']
const fromFile = ['receiver!~".+/siem"', 'name!~"storage_backlog.+|siem"']

const gaveUp = ['otelcol_exporter_send_failed_log_records(_total)?', 'fluentbit_output_dropped_records_total']

const waiting = ['otelcol_exporter_queue_size', 'fluentbit_input_storage_chunks_busy_bytes']

/** Bytes that wait in the shipper, for Loki and for a SIEM. One shipper labels them by output, the other by input. */
export const queues = {
  loki: `sum(${anyOf(waiting, 'exporter!~".+/siem"', 'name!="siem"')})`,
  siem: `sum(${anyOf(waiting, 'exporter=~"(.+/siem)?"', 'name=~"(siem)?"')})`,
}

/** All stages, in the order in which an event passes them. */
export const stages = {
  kernel: {
    name: '1. kernel to agent',
    passed: 'tetragon_observer_ringbuf_events_received_total',
    lost: [
      {
        what: '1. probe did not run',
        metric: 'tetragon_missed_prog_probes_total',
        noAlarm: 'the kernel skips a probe that interrupts itself, and no event is due then',
      },
      { what: '1. kernel could not write', metric: 'tetragon_bpf_missed_events_total' },
      { what: '1. ring buffer full', metric: 'tetragon_observer_ringbuf_events_lost_total' },
      { what: '1. agent’s queue full', metric: 'tetragon_observer_ringbuf_queue_events_lost_total' },
    ],
  },
  file: {
    name: '2. agent to file',
    passed: 'tetragon_events_exported_total',
    lost: [
      {
        what: '2. export queue full',
        metric: 'tetragon_notify_overflowed_events_total',
        noAlarm: 'it also counts what a slow `tetra getevents` misses',
      },
      { what: '2. rate limit', metric: 'tetragon_export_ratelimit_events_dropped_total' },
    ],
  },
  shipper: {
    name: '3. file to shipper',
    passed: anyOf(['otelcol_receiver_accepted_log_records(_total)?', 'fluentbit_input_records_total'], ...fromFile),
    lost: [
      {
        what: '3. shipper refused',
        metric: anyOf(['otelcol_receiver_refused_log_records(_total)?']),
        noAlarm: 'the shipper reads refused lines again later',
      },
      { what: '3. line too long', metric: anyOf(['fluentbit_input_long_line_skipped_total']) },
      {
        what: '3. shipper’s queue full',
        metric: anyOf(['otelcol_exporter_enqueue_failed_log_records(_total)?'], ...toLoki),
      },
    ],
  },
  delivery: {
    name: '4. shipper to Loki',
    passed: anyOf(['otelcol_exporter_sent_log_records(_total)?', 'fluentbit_output_proc_records_total'], ...toLoki),
    lost: [
      {
        what: '4. shipper gave up',
        metric: anyOf(gaveUp, ...toLoki),
      },
      {
        what: '4. not for the SIEM',
        metric: anyOf(gaveUp, ...toSiem),
      },
    ],
  },
  loki: {
    name: '5. Loki',
    passed: 'loki_distributor_lines_received_total',
    lost: [{ what: '5. Loki discarded', metric: 'loki_discarded_samples_total' }],
  },
} satisfies Record<string, Stage>

/**
 * Returns PromQL for the events per second that the agent receives and, on purpose, does not export: clones, processes
 * of the host, and what the allow list and the deny list leave out.
 */
export const filteredRate = (window: string): string => {
  const rate = (metric: string) => `sum(rate(${metric}[${window}]))`
  const { kernel, file } = stages
  return `clamp_min(${rate(kernel.passed)} - ${rate(file.passed)} - (${rate(file.lost[0]!.metric)} or vector(0)), 0)`
}

/**
 * Returns PromQL for the growth of a counter in a span of time. A new counter counts from zero: several of these
 * counters only appear with the first loss, at 1, which `increase` does not see. A counter is new if it did not exist
 * in the day before, so that a gap in the scrapes, as while a laptop sleeps, does not make an old counter new.
 */
export const growth = (metric: string, span: string): string =>
  `(sum(${metric}) unless sum(last_over_time(${metric}[1d] offset ${span})) or sum(increase(${metric}[${span}])))`
