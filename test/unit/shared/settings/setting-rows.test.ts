import { expect, it } from 'vitest'
import { settingRows } from '../../../../shared/settings/setting-rows.ts'

it('describes every setting', () => {
  expect(settingRows().filter(row => row.description.length < 10)).toEqual([])
  expect(settingRows().length).toBeGreaterThan(25)
})

it('names the allowed values and the default of a setting', () => {
  expect(settingRows().find(({ path }) => path === 'pipeline.shipper')).toMatchObject({
    allowed: 'one of otel, fluent-bit',
    default: 'otel',
    values: ['otel', 'fluent-bit'],
    example: 'fluent-bit',
  })
})
