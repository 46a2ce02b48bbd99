import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectDir } from '../../../shared/paths.ts'
import { exerciseNames, readExercise } from '../../exercise/definition/exercises.ts'
import { exerciseListPage, exercisePage } from './exercise-page.ts'
import { isFolder, pageOf, rewriteLinks } from './links.ts'
import { filePage, folderPage } from './source-page.ts'

/** The documentation site before VitePress renders it. */
export interface Site {
  /** Markdown by page, as in `reference/settings`. */
  pages: Map<string, string>
  /** Pictures that the pages show, by their path in the checkout. */
  pictures: Set<string>
}

const labs = join(projectDir, 'labs')

/**
 * Reads the documentation of the checkout: the README and its neighbors, docs/, bench/ and the exercises, and the
 * files and folders that they link to.
 */
export function readSite(): Site {
  const documents = globSync(['*.md', 'docs/**/*.md', 'bench/*.md'], { cwd: projectDir })
  const files = new Set([...documents, 'labs', ...exerciseNames(labs).map(name => `labs/${name}/README.md`)])
  const pages = new Map<string, string>()
  const pictures = new Set<string>()
  const targets = { page: (file: string) => files.add(file), picture: (file: string) => pictures.add(file) }
  // Pages add the files that they link to, which the loop then reads too.
  for (const file of files) if (!isFolder(file)) pages.set(pageOf(file), rewriteLinks(markdownOf(file), file, targets))
  for (const file of files) if (isFolder(file)) pages.set(pageOf(file), folderMarkdown(file, files))
  return { pages, pictures }
}

function markdownOf(file: string): string {
  const [, exercise] = /^labs\/([^/]+)\/README\.md$/.exec(file) ?? []
  if (exercise) return exercisePage(readExercise(exercise, labs))
  return file.endsWith('.md') ? readFileSync(join(projectDir, file), 'utf8') : filePage(file)
}

const folderMarkdown = (folder: string, files: Set<string>): string =>
  folder === 'labs' ? exerciseListPage() : folderPage(folder, file => files.has(file))

/** Returns the title of a page. */
export const titleOf = (markdown: string): string => /^# (.+)$/m.exec(markdown)?.[1] ?? ''
