import { beforeEach, expect, it, vi } from 'vitest'
import { describeLab, downLab, policiesToLose } from '../../../scripts/lab/down.ts'
import { runLab } from '../support/run-lab.ts'

vi.mock('../../../scripts/lab/down.ts', () => ({ describeLab: vi.fn(), downLab: vi.fn(), policiesToLose: vi.fn() }))

beforeEach(() => {
  vi.mocked(describeLab).mockResolvedValue(["Pulumi's state (80 resources)"])
  vi.mocked(policiesToLose).mockResolvedValue([])
  vi.mocked(downLab).mockResolvedValue({ removed: true, seconds: 12.3, left: [] })
})

it('says beforehand which policies of the user are deleted too', async () => {
  vi.mocked(policiesToLose).mockResolvedValue([{ name: 'mine' }, { name: 'theirs', namespace: 'shop' }])
  const { stderr } = await runLab('down', '--yes')
  expect(stderr).toContain('the TracingPolicies that you applied yourself: mine, shop/theirs.')
  const [asked, removed] = [policiesToLose, downLab].map(each => vi.mocked(each).mock.invocationCallOrder[0]!)
  expect(asked).toBeLessThan(removed!)
})

it('prints what stays in the cluster, and nothing where nothing does', async () => {
  expect((await runLab('down', '--yes')).stdout).toBe('The lab is removed, 12.3 s\n')
  vi.mocked(downLab).mockResolvedValue({ removed: true, seconds: 1, left: ['a Service', 'the images'] })
  expect((await runLab('down', '--yes')).stdout).toMatch(/\nIt leaves:\n {2}a Service\n {2}the images\n$/)
})

it('asks nothing of a cluster without a lab', async () => {
  vi.mocked(policiesToLose).mockClear()
  vi.mocked(describeLab).mockResolvedValue([])
  vi.mocked(downLab).mockResolvedValue({ removed: false, seconds: 0, left: [] })
  expect((await runLab('down')).stdout).toBe('There was no lab to remove.\n')
  expect(policiesToLose).not.toHaveBeenCalled()
})
