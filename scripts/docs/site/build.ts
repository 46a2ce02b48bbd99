import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { note, report } from '../../terminal/output.ts'
import { readSite } from './pages.ts'
import { sidebar } from './sidebar.ts'

// `npm run docs:build`: writes the pages to site/pages, and lets VitePress render them to site/dist. VitePress has its
// own package in site/, because it is larger than everything that the lab needs.

const site = join(projectDir, 'site')
const pagesFolder = join(site, 'pages')

/** Folder of the rendered site. */
export const renderedSite = join(site, 'dist')

/**
 * Builds the site. It needs no network.
 * @throws LabError if VitePress is not installed.
 */
export async function buildSite(): Promise<void> {
  if (!existsSync(join(site, 'node_modules', 'vitepress')))
    throw new LabError({ found: 'VitePress is not installed', next: 'npm ci --prefix site --ignore-scripts' })
  writePages()
  const { exitCode } = await execa('vitepress', ['build'], {
    cwd: site,
    preferLocal: true,
    localDir: site,
    stdout: 'inherit',
    stderr: 'inherit',
    reject: false,
  })
  // VitePress has printed the reason, such as a dead link.
  if (exitCode !== 0) throw new LabError({ found: 'VitePress cannot build the site', next: 'see the lines above' })
}

function writePages(): void {
  const read = readSite()
  rmSync(pagesFolder, { recursive: true, force: true })
  for (const [page, markdown] of read.pages) write(`${page}.md`, markdown)
  for (const picture of read.pictures) cpSync(join(projectDir, picture), join(pagesFolder, 'public', picture))
  write('sidebar.json', JSON.stringify(sidebar(read)))
}

function write(file: string, text: string): void {
  const path = join(pagesFolder, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

if (import.meta.main) {
  try {
    await buildSite()
    note(`The site is in ${renderedSite}. To read it: npm --prefix site exec vitepress preview site`)
  } catch (error) {
    process.exitCode = report(error)
  }
}
