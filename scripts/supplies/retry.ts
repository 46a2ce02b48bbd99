import pRetry from 'p-retry'
import { LabError } from '../../shared/lab-error.ts'

/** A failure that a later attempt may not meet: no route, a reset connection, a server error. */
export class TransientError extends LabError {}

/** How often a download or pull is retried, and the first pause in milliseconds. Tests shorten the pause. */
export const retryPolicy = { retries: 3, minTimeout: 500, factor: 2 }

/** Runs an attempt again while it fails with a `TransientError`. */
export const withRetries = <T>(attempt: () => Promise<T>): Promise<T> =>
  pRetry(attempt, { ...retryPolicy, shouldRetry: ({ error }) => error instanceof TransientError })
