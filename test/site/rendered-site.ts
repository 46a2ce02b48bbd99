import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContext } from 'playwright-core'
import { renderedSite } from '../../scripts/docs/site/build.ts'

/** Address at which the browser sees the site. Nothing listens there. */
export const origin = 'http://docs.test'

/** Answers the requests of a browser with the files of the site. @returns the requests to other addresses. */
export async function serveSite(context: BrowserContext): Promise<string[]> {
  const outside: string[] = []
  await context.route('**/*', route => {
    const url = new URL(route.request().url())
    if (url.origin !== origin) {
      outside.push(url.href)
      return route.abort()
    }
    const file = fileAt(url.pathname)
    return file ? route.fulfill({ path: file }) : route.fulfill({ status: 404, body: 'not found' })
  })
  return outside
}

/** Returns each link that does not lead to a page and a heading of it, with the page that has the link. */
export function deadLinks(): string[] {
  const pages = globSync('**/*.html', { cwd: renderedSite }).filter(page => page !== '404.html')
  return pages.flatMap(page =>
    linksOf(join(renderedSite, page))
      .filter(link => !leadsSomewhere(new URL(link, `${origin}/${page}`)))
      .map(link => `${page}: ${link}`),
  )
}

const linksOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/<(?:a|img|source)\b[^>]*? (?:href|src|srcset)="([^"]+)"/g)]
    .map(([, link]) => link!.replaceAll('&amp;', '&'))
    .filter(link => !/^(https?|mailto|data):/.test(link))

function leadsSomewhere({ pathname, hash }: URL): boolean {
  const file = fileAt(decodeURIComponent(pathname))
  if (!file) return false
  return !hash || readFileSync(file, 'utf8').includes(` id="${decodeURIComponent(hash.slice(1))}"`)
}

/** Returns the file that a server sends for a path. */
function fileAt(pathname: string): string | undefined {
  const file = join(renderedSite, pathname.endsWith('/') ? `${pathname}index.html` : pathname)
  return existsSync(file) ? file : undefined
}
