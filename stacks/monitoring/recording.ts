import { join } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { RecordingError, readRecording } from './replay/replay.mjs'

/** The recording that is replayed: events, and samples of the metrics. */
export const recordingFolder = join(import.meta.dirname, 'replay', 'recordings', 'guestbook')

/**
 * Looks whether a recording can be played: in the cluster, the pod of one that cannot would end again and again.
 * @param folder the lab's own by default.
 * @throws LabError when it is missing, cut off or no recording.
 */
export function checkRecording(folder = recordingFolder): void {
  try {
    readRecording(folder, 12)
  } catch (cause) {
    if (!(cause instanceof RecordingError)) throw cause
    throw new LabError({
      found: `the recording cannot be played: ${cause.message}`,
      expected: 'its two files as they were published',
      next: `git checkout ${folder}`,
      cause,
    })
  }
}
