// The pipe from the kernel to Loki: what counts the events that pass each stage, and those that are lost there.

/** A stage of the pipe. Metrics are series selectors of counters, without a range. */
export interface Stage {
  name: string
  /** Counts what got through. */
  passed: string
  /** What counts losses, in the order events meet them. */
  lost: Loss[]
}

/** Something that counts losses. */
export interface Loss {
  /** With the number of the stage in front. */
  what: string
  metric: string
  /** Why a count above zero may mean that nothing is lost: it is shown then, but no alarm. */
  noAlarm?: string
}

/**
 * A metric under any of the names that the two shippers and their versions give it. Only ever one of them exists, so a
 * rate over the name is safe.
 */
const anyOf = (names: string[], ...matchers: string[]): string =>
  `{${[`__name__=~"${names.join('|')}"`, ...matchers].join(', ')}}`

// What goes to a SIEM as well must not count twice, and what Fluent Bit reads back from its own queue neither.
const toLoki = ['exporter!~".+/siem"', 'name!~"syslog.+|opentelemetry.+"']
// Each shipper has one of these labels, and the other one is empty there.
const toSiem = ['exporter=~"(.+/siem)?"', 'name=~"((syslog|opentelemetry).+)?"']
const fromFile = ['receiver!~".+/siem"', 'name!~"storage_backlog.+|siem"']

const gaveUp = ['otelcol_exporter_send_failed_log_records(_total)?', 'fluentbit_output_dropped_records_total']

const waiting = ['otelcol_exporter_queue_size', 'fluentbit_input_storage_chunks_busy_bytes']

/** What waits in the shipper, in bytes: for Loki, and for a SIEM. Of the metrics with the name of an output or an input one shipper has each. */
export const queues = {
  loki: `sum(${anyOf(waiting, 'exporter!~".+/siem"', 'name!="siem"')})`,
  siem: `sum(${anyOf(waiting, 'exporter=~"(.+/siem)?"', 'name=~"(siem)?"')})`,
}

/** In the order that an event meets them. */
export const stages = {
  kernel: {
    name: '1. kernel to agent',
    passed: 'tetragon_observer_ringbuf_events_received_total',
    lost: [
      {
        what: '1. probe did not run',
        metric: 'tetragon_missed_prog_probes_total',
        noAlarm: 'a probe that meets itself is skipped on purpose, and no event is due then',
      },
      { what: '1. kernel could not write', metric: 'tetragon_bpf_missed_events_total' },
      { what: '1. ring buffer full', metric: 'tetragon_observer_ringbuf_events_lost_total' },
      { what: '1. agent’s queue full', metric: 'tetragon_observer_ringbuf_queue_events_lost_total' },
    ],
  },
  file: {
    name: '2. agent to file',
    passed: 'tetragon_events_exported_total',
    lost: [{ what: '2. rate limit', metric: 'tetragon_export_ratelimit_events_dropped_total' }],
  },
  shipper: {
    name: '3. file to shipper',
    passed: anyOf(['otelcol_receiver_accepted_log_records(_total)?', 'fluentbit_input_records_total'], ...fromFile),
    lost: [
      {
        what: '3. shipper refused',
        metric: anyOf(['otelcol_receiver_refused_log_records(_total)?']),
        noAlarm: 'what the shipper refuses it reads again later',
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
 * How far a counter grew in a span of time. A counter that was not there before counts whole: several of them are born with the first loss,
 * at 1, and `increase` alone would never see that one. Before is the day before: where nothing was read for a while, as while a laptop slept,
 * an old counter does not pass for a new one.
 */
export const growth = (metric: string, span: string): string =>
  `(sum(${metric}) unless sum(last_over_time(${metric}[1d] offset ${span})) or sum(increase(${metric}[${span}])))`
