import { cpSync, existsSync, rmSync } from 'node:fs'
import { labPath } from '../../../shared/paths.ts'
import { type Folders, workFolder } from '../definition/folders.ts'

/**
 * Runs a test with its own progress and an empty folder for the exercise, and puts the student's files back afterwards,
 * also after Ctrl-C.
 */
export async function keepStudentFiles(
  folders: Folders,
  exercise: string,
  test: (folders: Folders) => Promise<void>,
): Promise<void> {
  const work = workFolder(folders, exercise)
  const kept = labPath('walk', exercise)
  const progress = labPath('walk', `${exercise}.json`)
  const hadFiles = existsSync(work)
  rmSync(kept, { recursive: true, force: true })
  if (hadFiles) cpSync(work, kept, { recursive: true })
  const restore = (): void => {
    rmSync(progress, { force: true })
    rmSync(work, { recursive: true, force: true })
    if (hadFiles) cpSync(kept, work, { recursive: true })
    rmSync(kept, { recursive: true, force: true })
  }
  const interrupt = (): void => {
    restore()
    process.exit(130)
  }
  process.once('SIGINT', interrupt)
  rmSync(progress, { force: true })
  rmSync(work, { recursive: true, force: true })
  try {
    await test({ ...folders, progress })
  } finally {
    process.off('SIGINT', interrupt)
    restore()
  }
}
