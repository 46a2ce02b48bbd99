import { describe, expect, it } from 'vitest'
import { pageOf, rewriteLinks } from '../../../scripts/docs/site/links.ts'
import { readSite } from '../../../scripts/docs/site/pages.ts'
import { type SidebarItem, sidebar } from '../../../scripts/docs/site/sidebar.ts'
import { readExercises } from '../../../scripts/exercise/definition/exercises.ts'

// The pages that VitePress renders. `lab test site` opens the rendered ones in a browser.

describe('the pages of the site', () => {
  // It throws for a link that leads nowhere.
  const site = readSite()

  it('are in the sidebar, except the files that they link to', () => {
    const links = (items: SidebarItem[]): string[] =>
      items.flatMap(({ link, items = [] }) => [link ?? [], ...links(items)].flat())
    const documents = [...site.pages.keys()].filter(page => !page.startsWith('source/'))
    expect(documents.length).toBeGreaterThan(30)
    const listed = links(sidebar(site)).map(link => link.slice(1).replace(/(^|\/)$/, '$1index'))
    expect(listed.toSorted()).toEqual(documents.toSorted())
  })

  it('include every exercise, with its tasks in order and their hints, and without its solutions', () => {
    for (const { name, tasks, outcome } of readExercises()) {
      const page = site.pages.get(`exercises/${name}`)!
      expect(page, name).toContain(outcome)
      const boxes = [...page.matchAll(/^:::: tip Task (\S+) \(\d+ points?\)$([\s\S]*?)^::::$/gm)]
      expect(boxes.map(([, id]) => id)).toEqual(tasks.map(({ id }) => id))
      for (const [index, { hints }] of tasks.entries())
        expect(boxes[index]![2]!.match(/^\d+\. /gm), `${name}, ${tasks[index]!.id}`).toHaveLength(hints.length)
    }
  })

  it('include the code that they link to, which the search leaves out', () => {
    const page = site.pages.get('source/policies/deny-shadow.yaml')!
    expect(page).toMatch(/^---\nsearch: false\n/)
    expect(page).toContain('kind: TracingPolicy')
    expect(site.pages.get('source/stacks/index')).toContain('[`cluster.ts`](/source/stacks/cluster.ts.md)')
  })
})

it.each([
  ['README.md', 'index'],
  ['SECURITY.md', 'project/security'],
  ['docs/teaching.md', 'teaching'],
  ['docs/reference/lint.md', 'reference/lint'],
  ['bench/README.md', 'bench/index'],
  ['labs', 'exercises/index'],
  ['labs/04-find-the-reader/README.md', 'exercises/04-find-the-reader'],
  ['stacks', 'source/stacks/index'],
  ['stacks/cluster.ts', 'source/stacks/cluster.ts'],
  ['.github/workflows/ci.yml', 'source/dot-github/workflows/ci.yml'],
])('the page of %s is %s', (file, page) => {
  expect(pageOf(file)).toBe(page)
})

describe('a link', () => {
  const rewritten = (markdown: string) => {
    const pages: string[] = []
    const pictures: string[] = []
    const targets = { page: (file: string) => pages.push(file), picture: (file: string) => pictures.push(file) }
    return { text: rewriteLinks(markdown, 'docs/teaching.md', targets), pages, pictures }
  }

  it('to another document leads to its page, with the same anchor', () => {
    const { text, pages } = rewritten('[faults](reference/faults.md#docker)')
    expect(text).toBe('[faults](/reference/faults.md#docker)')
    expect(pages).toEqual(['docs/reference/faults.md'])
  })

  it('to a folder leads to its README, or to a list of its files', () => {
    expect(rewritten('[a](../bench) [b](../policies/)').text).toBe(
      '[a](/bench/index.md) [b](/source/policies/index.md)',
    )
  })

  it.each(['[a](https://example.com/x.md)', '[a](#timing)', '`[a](nothing.md)`', '```md\n[a](nothing.md)\n```'])(
    'stays as it is: %j',
    markdown => expect(rewritten(markdown)).toEqual({ text: markdown, pages: [], pictures: [] }),
  )

  it('to a picture adds the picture to the site', () => {
    const { text, pictures } = rewritten(
      '<source srcset="pictures/recording-dark.svg"> ![a](pictures/recording-light.svg)',
    )
    expect(text).toBe('<source srcset="/docs/pictures/recording-dark.svg"> ![a](/docs/pictures/recording-light.svg)')
    expect(pictures).toEqual(['docs/pictures/recording-light.svg', 'docs/pictures/recording-dark.svg'])
  })

  it('to nothing is an error that names the document', () => {
    expect(() => rewritten('[a](nothing.md)')).toThrow('docs/teaching.md links to nothing.md, which does not exist')
  })
})
