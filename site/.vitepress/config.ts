import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'

// `npm run docs:build` writes the pages and the sidebar to site/pages, and starts VitePress.

const pages = join(import.meta.dirname, '..', 'pages')

/** Makes the anchors that GitHub makes, because the links in the documentation work there too. */
const slugify = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .replaceAll(' ', '-')

export default defineConfig({
  title: 'Tetragon Lab',
  description: 'An eBPF security-observability lab on your laptop',
  lang: 'en-US',
  srcDir: 'pages',
  outDir: 'dist',
  cacheDir: 'node_modules/.cache/vitepress',
  ignoreDeadLinks: 'localhostLinks',
  markdown: {
    anchor: { slugify },
    config(markdown) {
      const fence = markdown.renderer.rules.fence!
      markdown.renderer.rules.fence = (tokens, index, ...rest) => {
        const { info, content } = tokens[index]!
        return info.trim() === 'mermaid'
          ? `<MermaidDiagram code="${encodeURIComponent(content)}" />`
          : fence(tokens, index, ...rest)
      }
      // Vue would read {{ }} in text and code spans as an expression.
      for (const rule of ['text', 'code_inline']) {
        const render = markdown.renderer.rules[rule]!
        markdown.renderer.rules[rule] = (...args) => render(...args).replaceAll('{{', '&#123;&#123;')
      }
    },
  },
  themeConfig: {
    nav: [
      { text: 'Exercises', link: '/exercises/' },
      { text: 'Commands', link: '/reference/commands' },
      { text: 'Settings', link: '/reference/settings' },
    ],
    sidebar: JSON.parse(readFileSync(join(pages, 'sidebar.json'), 'utf8')),
    outline: { level: [2, 3] },
    search: { provider: 'local', options: { detailedView: true } },
  },
})
