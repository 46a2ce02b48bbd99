import source from '@mermaid-js/tiny/dist/mermaid.tiny.js?url'

/** What the lab uses of Mermaid. */
interface Mermaid {
  initialize(options: { startOnLoad: boolean; theme: 'default' | 'dark' }): void
  render(id: string, code: string): Promise<{ svg: string }>
}

let loading: Promise<Mermaid> | undefined

/** Loads Mermaid once, when a page has a diagram. It is a classic script that sets a global variable. */
export const loadMermaid = (): Promise<Mermaid> =>
  (loading ??= new Promise((resolve, reject) => {
    const script = document.createElement('script')
    script.src = source
    script.onload = () => resolve((globalThis as unknown as { mermaid: Mermaid }).mermaid)
    script.onerror = () => reject(new Error(`${source} cannot be loaded`))
    document.head.append(script)
  }))
