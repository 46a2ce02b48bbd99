import { join } from 'node:path'
import { labDir, projectDir } from '../../../shared/paths.ts'

/** Where exercises, the student's files and the progress are. */
export interface Folders {
  /** Folder of all exercises. */
  labs: string
  /** Folder of the student's files, with a folder for each exercise. */
  work: string
  /** File of the progress. */
  progress: string
}

const ownProgress = (): string => join(labDir(), 'exercises.json')

/** Returns the folders of the checkout. `LAB_LABS`, `LAB_WORK` and `LAB_PROGRESS` replace them, for tests. */
export const exerciseFolders = (env: NodeJS.ProcessEnv = process.env): Folders => ({
  labs: env.LAB_LABS ?? join(projectDir, 'labs'),
  work: env.LAB_WORK ?? join(projectDir, 'work'),
  progress: env.LAB_PROGRESS ?? ownProgress(),
})

/** Returns the variables that make another `./lab` use these folders. */
export const folderVariables = ({ labs, work, progress }: Folders): Record<string, string> => ({
  LAB_LABS: labs,
  LAB_WORK: work,
  LAB_PROGRESS: progress,
})

/** Tells whether the progress is the student's own, rather than that of a test. */
export const isOwnProgress = ({ progress }: Folders): boolean => progress === ownProgress()

/** Returns the student's folder for an exercise. */
export const workFolder = ({ work }: Folders, exercise: string): string => join(work, exercise)

/** Returns the same folder as an exercise's text writes it. */
export const workPath = (exercise: string): string => `work/${exercise}`
