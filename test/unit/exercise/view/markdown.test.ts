import { marked } from 'marked'
import { expect, it } from 'vitest'
import { renderMarkdown } from '../../../../scripts/exercise/view/markdown.ts'

it('wraps text but not commands', () => {
  const long = `./lab query promql '${'x'.repeat(100)}'`
  const text = renderMarkdown(
    marked.lexer(
      `# Title\n\n${'word '.repeat(30)}\n\n- **a** \`b\`\n- c\n\n\`\`\`bash\n${long}\n\`\`\`\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n> **Task one**: do`,
    ),
    { width: 40, task: () => '(2 points)' },
  )
  const lines = text.split('\n')
  expect(lines.filter(line => line.startsWith('word')).every(line => line.length <= 40)).toBe(true)
  expect(lines).toContain(`    ${long}`)
  expect(text).toMatch(/• .*a.* .*b/)
  expect(text).toContain('(2 points)')
  expect(text).not.toContain('**')
})
