import { refused, unreachable } from '../supplies/download.ts'
import { withRetries } from '../supplies/retry.ts'

const timeoutMs = 30_000

/**
 * Sends a request to a publisher, again while the network or the server fails.
 * @param what for messages, as in `the tags of docker.io/grafana/loki`.
 * @param isExpected which statuses are returned; default: all below 400.
 * @throws LabError for any other status, and when there is no response.
 */
export const request = (
  what: string,
  url: URL,
  options: RequestInit = {},
  isExpected = (status: number): boolean => status < 400,
): Promise<Response> =>
  withRetries(async () => {
    let response: Response
    try {
      response = await fetch(url, { ...options, signal: AbortSignal.timeout(timeoutMs) })
    } catch (cause) {
      throw unreachable(what, url, cause)
    }
    if (isExpected(response.status)) return response
    await response.body?.cancel()
    throw refused(what, url, response.status)
  })
