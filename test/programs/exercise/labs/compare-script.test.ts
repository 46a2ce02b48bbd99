import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { execa } from 'execa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { projectDir } from '../../../../shared/paths.ts'

// The script of exercise 13, with a fake kubectl: commands for the Pod run on this machine, and Loki returns the same
// number for each minute.
describe('compare.sh', () => {
  const script = join(projectDir, 'labs', '13-nothing-is-lost', 'files', 'compare.sh')
  const recorded = zstdDecompressSync(
    readFileSync(join(projectDir, 'stacks/monitoring/replay/recordings/guestbook/tetragon.log.zst')),
  )
    .toString('utf8')
    .split('\n')
    .filter(Boolean)

  /** Runs the script with this many recorded events in the file, and in Loki, for each of the last 6 minutes. */
  async function compare(inFile: number, inLoki: number, agent = 'tetragon-replay -c replay'): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'lab-compare-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const minutes = [0, 1, 2, 3, 4, 5, 6].map(ago => new Date(Date.now() - ago * 60_000).toISOString().slice(0, 16))
    const lines = minutes.flatMap(minute =>
      recorded.slice(0, inFile).map(line => line.replace(/"time":"[^"]*"/, `"time":"${minute}:30.5Z"`)),
    )
    writeFileSync(join(folder, 'tetragon.log'), lines.map(line => `${line}\n`).join(''))
    writeFileSync(
      join(folder, 'kubectl'),
      `#!/usr/bin/env bash
case "$*" in
  *'get daemonsets'*) echo daemonset.apps/node-exporter; echo daemonset.apps/${agent.split(' ')[0]} ;;
  *'daemonset.apps/${agent} -- sh -c'*) sh -c "$(sed 's#/var/log/tetragon#${folder}#g' <<<"\${@: -1}")" ;;
  *--raw*) echo '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1795261455.4,"${inLoki}"]}]}}' ;;
  *) exit 9 ;;
esac
`,
    )
    writeFileSync(join(folder, 'lab'), `#!/bin/sh\necho 'export PATH="${folder}:$PATH"'\n`)
    for (const name of ['kubectl', 'lab']) chmodSync(join(folder, name), 0o755)
    const { stdout } = await execa('bash', [script], { cwd: folder })
    return stdout
  }

  it('prints the events in the file and in Loki for each minute', async () => {
    const lines = (await compare(7, 7)).split('\n')
    expect(lines).toHaveLength(6)
    expect(lines[1]).toMatch(/^\d\d:\d\d\s+7\s+7$/)
    expect(lines.at(-1)).toBe('nothing is missing')
  })

  it('reads the file in the container of the agent, not in the first of its Pod', async () => {
    expect(await compare(7, 7, 'tetragon -c tetragon')).toMatch(/nothing is missing$/)
  })

  it('prints how many events are missing', async () => {
    expect((await compare(7, 5)).split('\n').at(-1)).toBe('8 are missing')
  })

  it('does not accept an empty file as proof', async () => {
    expect((await compare(0, 0)).split('\n').at(-1)).toBe('the file holds no events of these minutes')
  })
})
