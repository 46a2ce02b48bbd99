import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { projectDir } from '../../../shared/paths.ts'
import { codeBlock } from '../markdown.ts'
import { pageOf } from './links.ts'

// Pages about what the documentation links to: files of the code, and folders.

const languages: Record<string, string> = {
  '.json': 'json',
  '.mjs': 'js',
  '.sh': 'sh',
  '.ts': 'ts',
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.md': 'md',
}

/** Returns the page of a file of the code. Search ignores it: it would find every name many times. */
export function filePage(file: string): string {
  const text = readFileSync(join(projectDir, file), 'utf8')
  const language = languages[extname(file)] ?? (text.startsWith('#!/bin/sh') ? 'sh' : 'text')
  return `${withoutSearch}# ${file}\n\n${codeBlock(language, text)}\n`
}

/** Folders that are not in the repository. */
const generated = new Set(['node_modules', 'pages', 'dist'])

/** Returns the page of a folder. @param hasPage whether the site has a page for a file. */
export function folderPage(folder: string, hasPage: (file: string) => boolean): string {
  const entries = readdirSync(join(projectDir, folder), { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.') && !generated.has(name))
    .toSorted((a, b) => a.name.localeCompare(b.name))
  const lines = entries.map(entry => {
    const file = `${folder}/${entry.name}`
    const name = `\`${entry.name}${entry.isDirectory() ? '/' : ''}\``
    return `- ${hasPage(file) ? `[${name}](/${pageOf(file)}.md)` : name}`
  })
  return `${withoutSearch}# ${folder}/\n\n${lines.join('\n')}\n`
}

const withoutSearch = '---\nsearch: false\noutline: false\n---\n\n'
