import { describe, expect, it } from 'vitest'
import { parseExerciseText } from '../../../../scripts/exercise/definition/text.ts'

describe('a text', () => {
  it('is parsed into commands with their attributes, files, outputs and tasks', () => {
    const { items } = parseExerciseText(
      [
        '# T',
        '',
        '```bash task=one expect-error',
        'false',
        '```',
        '',
        '```text stable',
        'out',
        '```',
        '',
        '```bash no-test reason="it takes an hour"',
        'sleep 3600',
        '```',
        '',
        '```yaml file=work/01-x/a.yaml',
        'a: b',
        '```',
        '',
        '```yaml',
        'only: shown',
        '```',
        '',
        '> **Task one**: do it',
      ].join('\n'),
    )
    expect(items).toMatchObject([
      {
        kind: 'code',
        language: 'bash',
        code: 'false',
        line: 3,
        task: 'one',
        expectError: true,
        outputs: [{ text: 'out' }],
      },
      { kind: 'code', noTest: 'it takes an hour' },
      { kind: 'code', language: 'yaml', file: 'work/01-x/a.yaml', code: 'a: b' },
      { kind: 'task', task: 'one', line: 23 },
    ])
  })

  it('has commands in the quotes of its tasks that belong to the tasks', () => {
    const { items } = parseExerciseText(
      [
        '> **Task one**: load it. `./lab status` says more.',
        '>',
        '> `./lab policy apply work/01-x/a.yaml`',
        '> `./lab policy apply work/01-x/b.yaml`',
        '>',
        '> `./lab exercise answer one NAME`',
        '>',
        '> ```bash expect-error',
        '> ./lab kubectl exec x -- cat /etc/shadow',
        '> ```',
        '>',
        '> ```text stable source=live',
        '> … Permission denied',
        '> ```',
        '',
        '> A quote of something else: `./lab down --yes`',
        '>',
        '> `./lab down --yes`',
      ].join('\n'),
    )
    expect(items).toMatchObject([
      { kind: 'task', task: 'one', line: 1 },
      { task: 'one', span: true, line: 3, code: './lab policy apply work/01-x/a.yaml' },
      { task: 'one', span: true, line: 4, code: './lab policy apply work/01-x/b.yaml' },
      {
        task: 'one',
        span: false,
        line: 8,
        expectError: true,
        outputs: [{ text: '… Permission denied', source: 'live' }],
      },
    ])
    expect(items).toHaveLength(4)
  })
})
