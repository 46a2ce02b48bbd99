import {
  type Color,
  differenceCiede2000,
  filterDeficiencyDeuter,
  filterDeficiencyProt,
  filterDeficiencyTrit,
  parse,
  wcagContrast,
} from 'culori'

/** Background of a panel in each theme: `background.primary` of @grafana/data 13.2.0. */
const backgrounds = { light: '#ffffff', dark: '#181b1f' } as const

export type Theme = keyof typeof backgrounds

/**
 * The first colors of the mode `palette-classic` in the order of the series, from `getClassicPalette` and the hues of
 * @grafana/data 13.2.0. The package itself needs React and a library for maps, which every installation of the lab
 * would load.
 */
export const classicPalette: Record<Theme, string[]> = {
  light: ['#56a64b', '#e0b400', '#3274d9', '#ff780a', '#e02f44', '#a352cc', '#19730e', '#cc9d00'],
  dark: ['#73bf69', '#f2cc0c', '#5794f2', '#ff9830', '#f2495c', '#b877d9', '#37872d', '#e0b400'],
}

/** How a color looks to most people, and to people who lack one kind of cones. */
const visions: Record<string, (color: Color) => Color> = {
  normal: color => color,
  'without red cones': filterDeficiencyProt(1),
  'without green cones': filterDeficiencyDeuter(1),
  'without blue cones': filterDeficiencyTrit(1),
}

const difference = differenceCiede2000()

/** The two colors of a list that are hardest to tell apart. */
export interface ClosestPair {
  pair: [string, string]
  vision: string
  /** CIEDE2000: below 1 nobody sees a difference; from about 10 on it is plain at a glance. */
  distance: number
}

/** Returns the two colors that are hardest to tell apart, over all kinds of color vision. */
export function closestPair(colors: readonly string[]): ClosestPair {
  const pairs = colors.flatMap((one, index) =>
    colors.slice(index + 1).flatMap(other =>
      Object.entries(visions).map(
        ([vision, see]): ClosestPair => ({
          pair: [one, other],
          vision,
          distance: difference(see(parse(one)!), see(parse(other)!)),
        }),
      ),
    ),
  )
  return pairs.reduce((closest, each) => (each.distance < closest.distance ? each : closest))
}

/** Returns the contrast ratio of WCAG between a color and the background of a panel. */
export const contrast = (color: string, theme: Theme): number => wcagContrast(color, backgrounds[theme])
