import { imagesOf } from '../../shared/lab-images.ts'
import { imageRef } from '../../shared/lock.ts'
import { type Context, loadContext } from '../context/context.ts'
import { chooseEventSource } from '../kernel/event-source.ts'
import { ensureCharts, requiredCharts } from '../supplies/charts.ts'
import { type ImageProgress, pullImages, requirePublished } from '../supplies/pull-images.ts'
import { createSteps } from './up-progress.ts'

/** What is present after `lab prefetch`. */
export interface Prefetched {
  /** Names and versions, as in `loki 18.11.0`. */
  charts: string[]
  /** Repository and tag. */
  images: string[]
  /** How many of the charts and images were downloaded now. */
  downloaded: number
}

interface PrefetchState extends Prefetched {
  context: Context
}

interface PrefetchOptions {
  silent: boolean
  load?: () => Promise<Context>
}

/**
 * Downloads everything that `lab up` needs with these settings: programs, charts and images. It starts nothing.
 * @throws LabError for what cannot be downloaded. What has arrived is kept.
 */
export async function prefetch({ silent, load = loadContext }: PrefetchOptions): Promise<Prefetched> {
  const steps = createSteps<PrefetchState>(
    [
      {
        title: 'Programs',
        task: async state => {
          state.context = await load()
        },
      },
      { title: 'Charts', task: prefetchCharts },
      {
        title: 'Images',
        skip: ({ context }) =>
          context.settings.cluster.mode === 'existing' && 'The nodes of an existing cluster pull them themselves',
        task: (state, task) => prefetchImages(state, line => (task.output = line)),
      },
    ],
    { silent },
  )
  const { charts, images, downloaded } = await steps.run({ charts: [], images: [], downloaded: 0 } as never)
  return { charts, images, downloaded }
}

async function prefetchCharts(state: PrefetchState): Promise<void> {
  const { lock, settings } = state.context
  const charts = await ensureCharts(lock, requiredCharts(settings))
  state.charts = charts.map(({ name, version }) => `${name} ${version}`)
  state.downloaded += charts.filter(({ fetched }) => fetched).length
}

async function prefetchImages(state: PrefetchState, show: (line: string) => void): Promise<void> {
  const { lock, settings } = state.context
  const source = await chooseEventSource(settings)
  const images = [lock.nodeImage, ...imagesOf({ settings, source }).map(name => lock.images[name])]
  state.images = images.map(imageRef)
  await requirePublished(images)
  const present = new Set<string>()
  await pullImages(images, ({ ref, step }: ImageProgress) => {
    if (step === 'pulled') state.downloaded++
    if (step === 'present' || step === 'pulled') present.add(ref)
    show(`${present.size} of ${images.length}: ${ref}`)
  })
}
