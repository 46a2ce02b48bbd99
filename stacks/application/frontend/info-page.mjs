// @ts-check
import { hostname } from 'node:os'

/** @param {string} text */
const escapeHtml = text => text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)

/**
 * Returns a page like `phpinfo()`, which the original Guestbook shows for a request without `cmd`. It discloses the
 * environment of the pod on purpose, for an exercise to find. It never shows a token.
 * @param {Record<string, string | undefined>} env
 * @param {import('node:http').IncomingMessage} request
 */
export function infoPage(env, request) {
  /** @type {[string, Record<string, string | undefined>][]} */
  const tables = [
    [
      'System',
      {
        Host: hostname(),
        Platform: `${process.platform} ${process.arch}`,
        Node: process.version,
        Program: process.argv.slice(0, 2).join(' '),
        User: `${process.getuid?.()}:${process.getgid?.()}`,
        Memory: `${Math.round(process.memoryUsage.rss() / 1e6)} MB`,
      },
    ],
    ['Environment', env],
    ['Request', Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))],
  ]
  const sections = tables.map(([title, rows]) => {
    const body = Object.entries(rows)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value = '']) => {
        const shown = /\beyJ[\w-]+\.[\w-]+\.[\w-]+/.test(value) ? '(a token)' : value
        return `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(shown)}</td></tr>`
      })
    return `<h2>${title}</h2>\n<table>\n${body.join('\n')}\n</table>`
  })
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>info()</title>
<style>body{font:14px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}table{width:100%;border-collapse:collapse}th,td{text-align:left;vertical-align:top;border:1px solid #8886;padding:.3rem .6rem;overflow-wrap:anywhere}th{width:16rem}</style>
<h1>Guestbook on Node ${process.version}</h1>
${sections.join('\n')}
</html>
`
}
