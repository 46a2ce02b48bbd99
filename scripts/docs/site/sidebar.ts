import { readExercises } from '../../exercise/definition/exercises.ts'
import { tracks } from '../../exercise/definition/schema.ts'
import { trackTitles } from '../../exercise/view/progress-report.ts'
import { type Site, titleOf } from './pages.ts'

/** An entry of VitePress's sidebar. */
export interface SidebarItem {
  text: string
  link?: string
  collapsed?: boolean
  items?: SidebarItem[]
}

/** Shorter titles than those of the pages. */
const titles: Record<string, string> = {
  index: 'The lab in short',
  'bench/load': 'Load test',
  'project/changelog': 'Changelog',
}

/** Order of the guides; others follow by title. */
const guideOrder = [
  'index',
  'first-steps',
  'machine',
  'pulumi',
  'troubleshooting',
  'teaching',
  'writing-exercises',
  'production',
  'runbooks',
]

/** Returns the sidebar: guides, exercises by track, reference. Pages of files are only reached by links. */
export function sidebar({ pages }: Site): SidebarItem[] {
  const items = (matches: (page: string) => boolean): SidebarItem[] =>
    [...pages]
      .filter(([page]) => matches(page))
      .map(([page, markdown]) => ({
        text: titles[page] ?? titleOf(markdown),
        link: `/${page.replace(/(^|\/)index$/, '$1')}`,
      }))
      .toSorted((a, b) => a.text.localeCompare(b.text))
  const rank = ({ link }: SidebarItem): number => {
    const place = guideOrder.indexOf(link === '/' ? 'index' : link!.slice(1))
    return place < 0 ? guideOrder.length : place
  }
  const exercises = readExercises()
  return [
    { text: 'Guides', items: items(page => !page.includes('/')).toSorted((a, b) => rank(a) - rank(b)) },
    {
      text: 'Exercises',
      items: [
        { text: 'All exercises', link: '/exercises/' },
        ...tracks.map(track => ({
          text: trackTitles[track],
          collapsed: true,
          items: exercises
            .filter(exercise => exercise.track === track)
            .map(({ name, title }) => ({
              text: `${Number.parseInt(name, 10)}. ${title}`,
              link: `/exercises/${name}`,
            })),
        })),
      ],
    },
    { text: 'Reference', items: items(page => page.startsWith('reference/')) },
    { text: 'Project', items: items(page => /^(project|bench)\//.test(page)) },
  ]
}
