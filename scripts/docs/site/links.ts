import { existsSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { projectDir } from '../../../shared/paths.ts'
import { outsideCode } from '../markdown.ts'

// The pages of the site are files of the checkout. Their links to other files become links between pages.

/** Returns the page of a file or folder without an ending: `docs/teaching.md` is `teaching`. */
export function pageOf(file: string): string {
  if (file === 'README.md') return 'index'
  if (file === 'labs') return 'exercises/index'
  const [, exercise] = /^labs\/([^/]+)\/README\.md$/.exec(file) ?? []
  if (exercise) return `exercises/${exercise}`
  const [, document] = /^((?:docs|bench)\/.+|[^/]+)\.md$/.exec(file) ?? []
  if (document?.includes('/')) return document.replace(/^docs\//, '').replace(/README$/, 'index')
  if (document) return `project/${document.toLowerCase().replaceAll('_', '-')}`
  // VitePress ignores files that start with a dot.
  const page = isFolder(file) ? `${file}/index` : file.replace(/(README)?\.md$/, (_, readme) => (readme ? 'index' : ''))
  return `source/${page}`.replaceAll('/.', '/dot-')
}

/** Returns whether this is a folder of the checkout. */
export const isFolder = (file: string): boolean => statSync(join(projectDir, file)).isDirectory()

/** What a page refers to, found in its links. */
export interface Targets {
  /** Adds a file or folder that needs a page. */
  page(file: string): void
  /** Adds a picture. */
  picture(file: string): void
}

/**
 * Rewrites the links and pictures of a page.
 * @param file the page's file in the checkout, where relative links start
 */
export function rewriteLinks(markdown: string, file: string, targets: Targets): string {
  const rewrite = (link: string): string => {
    const [path = '', anchor] = link.split('#')
    if (!path || /^[a-z]+:/.test(path)) return link
    const target = withReadme(normalize(join(dirname(file), path)).replace(/\/$/, ''))
    if (!existsSync(join(projectDir, target))) throw new Error(`${file} links to ${link}, which does not exist`)
    if (/\.(svg|png|gif|webp)$/.test(target)) {
      targets.picture(target)
      return `/${target}`
    }
    targets.page(target)
    return `/${pageOf(target)}.md${anchor === undefined ? '' : `#${anchor}`}`
  }
  return outsideFences(markdown, line =>
    outsideCode(line, part =>
      part
        .replaceAll(/\]\(([^)\s]+)\)/g, (_, link: string) => `](${rewrite(link)})`)
        .replaceAll(
          /\b(src|srcset|href)="([^"\s]+)"/g,
          (_, name: string, link: string) => `${name}="${rewrite(link)}"`,
        ),
    ),
  )
}

/** A link to a folder leads to its README. */
const withReadme = (target: string): string =>
  existsSync(join(projectDir, target, 'README.md')) ? join(target, 'README.md') : target

/** Changes each line of a Markdown text that is not in a fenced code block. */
export function outsideFences(markdown: string, change: (line: string) => string): string {
  let fence: string | undefined
  return markdown
    .split('\n')
    .map(line => {
      const marks = /^[\s>]*(`{3,}|~{3,})/.exec(line)?.[1]
      if (fence === undefined && marks === undefined) return change(line)
      if (fence === undefined) fence = marks
      else if (marks?.startsWith(fence)) fence = undefined
      return line
    })
    .join('\n')
}
