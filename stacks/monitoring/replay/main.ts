// Replays a recorded run of the real Tetragon, for kernels that cannot trace: writes the recorded events to the export
// file with new timestamps and serves the recorded metrics. Readers of either cannot tell the difference.
//
// The Pod mounts this folder from a ConfigMap into a plain Node image, so no module here may import anything from
// outside the folder, or a package.
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { Player, type PlayerOptions } from './player.ts'

/**
 * Reads the options from environment variables. All are optional.
 *
 *   RECORDING_DIR      folder with tetragon.log.zst and metrics.jsonl.zst
 *   EXPORT_FILE        file to write; its folder must be writable, because the state is kept there too
 *   EXPORT_FILE_PERM   its permissions
 *   EXPORT_FILE_MAX_SIZE_MB, EXPORT_FILE_MAX_BACKUPS
 *                      size at which the file rotates, and the number of rotated files to keep
 *   EVENTS_PER_SECOND  on average
 *   NODE_NAME          replaces the name of the recorded node
 *   METRICS_PORT       for /metrics and /healthz; 0 for any free port
 *
 * @throws Error that names the invalid variable
 */
export function readOptions(env: Record<string, string | undefined>): PlayerOptions & { metricsPort: number } {
  const number = (name: string, fallback: number, expected: string, isValid: (value: number) => boolean): number => {
    const value = Number(env[name] || fallback)
    if (!isValid(value)) throw new Error(`${name} must be ${expected}, not ${JSON.stringify(env[name])}`)
    return value
  }
  const permissions = env.EXPORT_FILE_PERM || '600'
  if (!/^0?[0-7]{3}$/.test(permissions))
    throw new Error(`EXPORT_FILE_PERM must be permissions such as 600, not ${JSON.stringify(permissions)}`)
  return {
    recordingDir: env.RECORDING_DIR || join(import.meta.dirname, 'recordings', 'guestbook'),
    exportFile: {
      path: env.EXPORT_FILE || '/var/log/tetragon/tetragon.log',
      mode: Number.parseInt(permissions, 8),
      maxBytes: number('EXPORT_FILE_MAX_SIZE_MB', 10, 'at least 1', value => value >= 1) * 1024 ** 2,
      maxBackups: number(
        'EXPORT_FILE_MAX_BACKUPS',
        5,
        'a whole number',
        value => Number.isInteger(value) && value >= 0,
      ),
    },
    eventsPerSecond: number(
      'EVENTS_PER_SECOND',
      12,
      'above 0 and at most 10000',
      value => value > 0 && value <= 10_000,
    ),
    nodeName: env.NODE_NAME,
    metricsPort: number(
      'METRICS_PORT',
      2112,
      'a port number',
      value => Number.isInteger(value) && value >= 0 && value <= 65_535,
    ),
  }
}

/** Creates the server for /metrics and /healthz. */
export const createMetricsServer = (metricsText: () => string): Server =>
  createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://replay').pathname
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405).end()
    if (path === '/metrics') {
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
      return void response.end(metricsText())
    }
    if (path === '/healthz') return void response.end('ok\n')
    response.writeHead(404).end('/metrics, /healthz\n')
  })

function main(): void {
  const options = readOptions(process.env)
  const player = new Player(options)
  logErrors(player)
  const server = createMetricsServer(() => player.metricsText())
  server.listen(options.metricsPort, () => {
    console.log(describe(player, server))
    player.start()
  })
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.once(signal, () => {
      player.stop()
      server.close()
      server.closeAllConnections()
    })
}

/** Logs each error of a player once: with a full disk, the same write fails several times a second. */
function logErrors(player: Player): void {
  let lastMessage = ''
  player.on('error', ({ message }) => {
    if (message !== lastMessage) console.error(`replay: ${message}`)
    lastMessage = message
  })
}

function describe({ events, schedule, file, resumed }: Player, server: Server): string {
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : address
  const seconds = (schedule.roundMs / 1000).toFixed(1)
  return (
    `replay: ${events.length} events in ${seconds} s (${schedule.speed.toFixed(1)} times the recorded speed), ` +
    `${resumed ? 'resumed' : 'after one round of history'}, to ${file.path}; metrics on :${port}`
  )
}

if (import.meta.main) {
  try {
    main()
  } catch (error) {
    console.error(`replay: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}
