/** How often, and after how many milliseconds, what may pass is tried again: no route, a reset connection, a server's 5xx. */
export const retryPolicy = { retries: 3, minTimeout: 500, factor: 2 }
