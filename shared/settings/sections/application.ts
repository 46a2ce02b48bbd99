import { z } from 'zod'

/** The observed application. */
export const guestbook = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe(
      'Run the observed application: the Guestbook, the traffic generator, and the pod `visitor` that reads files it should not.',
    )
    .meta({ examples: [false] }),
  images: z
    .enum(['lab', 'upstream'])
    .default('lab')
    .describe(
      '`lab`: small images for amd64 and arm64, with a page that works offline; `upstream`: the original images, for amd64 only.',
    ),
  frontends: z.int().min(1).max(10).default(3).describe('Number of frontend pods.'),
  followers: z.int().min(1).max(5).default(2).describe('Number of Redis follower pods.'),
})

/** The traffic generator. */
export const traffic = z.strictObject({
  enabled: z.boolean().default(true).describe('Run the traffic generator.'),
  rate: z.number().min(0.1).max(500).default(5).describe('Average number of visits to the Guestbook a second.'),
  noise: z.number().min(0).max(1).default(0.2).describe('How much the rate varies around its average: 0.2 means 20%.'),
})
