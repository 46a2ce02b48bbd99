import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { RecordingError, readRecording } from './replay/recording.ts'

// What the replay's Pod is made of. `lab up` checks it before it loads Pulumi, so this module must not import Pulumi.

const programFolder = join(import.meta.dirname, 'replay')

/** Folder of the recording that the replay plays. */
export const recordingFolder = join(programFolder, 'recordings', 'guestbook')

/** Module that the Pod starts. */
export const entryPoint = 'main.ts'

/**
 * Returns the source of each module of the program by file name, and the package.json that tells Node to read ES
 * modules.
 */
export const readProgram = (): Record<string, string> => ({
  'package.json': JSON.stringify({ type: 'module' }),
  ...Object.fromEntries(
    readdirSync(programFolder)
      .filter(file => file.endsWith('.ts'))
      .sort()
      .map(file => [file, readFileSync(join(programFolder, file), 'utf8')]),
  ),
})

/** Returns the files of the recording by name, in Base64. */
export const readRecordingFiles = (): Record<string, string> =>
  Object.fromEntries(
    ['tetragon.log.zst', 'metrics.jsonl.zst'].map(file => [
      file,
      readFileSync(join(recordingFolder, file)).toString('base64'),
    ]),
  )

/**
 * Checks that a recording can be played. With one that cannot, the Pod in the cluster would restart in a loop.
 * @throws LabError if a file is missing, truncated or not a recording
 */
export function checkRecording(folder = recordingFolder): void {
  try {
    readRecording(folder, 12)
  } catch (cause) {
    if (!(cause instanceof RecordingError)) throw cause
    throw new LabError({
      found: `The recording cannot be played: ${cause.message}`,
      next: `git checkout ${folder}`,
      cause,
    })
  }
}
