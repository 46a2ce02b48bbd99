// @ts-check

/** Upper bounds of the histogram's buckets, in seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/**
 * @param {string} route
 * @param {number} code
 */
const formatLabels = (route, code) => `route="${route}",code="${code}"`

/** The frontend's metrics. */
export class FrontendMetrics {
  /** @type {Map<string, number>} by labels */
  #requests = new Map()
  /** @type {Map<string, number>} by role */
  #redisErrors = new Map([
    ['leader', 0],
    ['follower', 0],
  ])
  /** @type {Map<string, { buckets: number[], sum: number, count: number }>} by route */
  #durations = new Map()

  constructor() {
    // Series that are zero from the start: Prometheus cannot see the first increase of a new series.
    for (const route of ['index', 'get', 'set']) {
      this.#requests.set(formatLabels(route, 200), 0)
      this.#durations.set(route, { buckets: bounds.map(() => 0), sum: 0, count: 0 })
    }
  }

  /**
   * @param {string} route one of a few, because each creates series
   * @param {number} code
   * @param {number} seconds
   */
  addRequest(route, code, seconds) {
    const labels = formatLabels(route, code)
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1)
    const duration = this.#durations.get(route) ?? { buckets: bounds.map(() => 0), sum: 0, count: 0 }
    duration.buckets = duration.buckets.map((count, i) => (seconds <= (bounds[i] ?? 0) ? count + 1 : count))
    duration.sum += seconds
    duration.count++
    this.#durations.set(route, duration)
  }

  /** @param {'leader' | 'follower'} role */
  addRedisError(role) {
    this.#redisErrors.set(role, (this.#redisErrors.get(role) ?? 0) + 1)
  }

  /** Returns the metrics in the Prometheus text format. */
  text() {
    const lines = [
      '# HELP guestbook_http_requests_total Requests answered.',
      '# TYPE guestbook_http_requests_total counter',
    ]
    for (const [labels, count] of this.#requests) lines.push(`guestbook_http_requests_total{${labels}} ${count}`)
    lines.push(
      '# HELP guestbook_redis_errors_total Commands that Redis did not answer, or refused.',
      '# TYPE guestbook_redis_errors_total counter',
    )
    for (const [role, count] of this.#redisErrors) lines.push(`guestbook_redis_errors_total{role="${role}"} ${count}`)
    const name = 'guestbook_http_request_duration_seconds'
    lines.push(`# HELP ${name} Time from a request to the end of its answer.`, `# TYPE ${name} histogram`)
    for (const [route, { buckets, sum, count }] of this.#durations)
      lines.push(
        ...buckets.map((below, i) => `${name}_bucket{route="${route}",le="${bounds[i]}"} ${below}`),
        `${name}_bucket{route="${route}",le="+Inf"} ${count}`,
        `${name}_sum{route="${route}"} ${sum}`,
        `${name}_count{route="${route}"} ${count}`,
      )
    return lines.join('\n') + '\n'
  }
}
