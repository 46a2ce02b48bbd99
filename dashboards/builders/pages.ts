/** A dashboard's uid and title. */
export interface Page {
  uid: string
  title: string
}

/** Every dashboard's uid and its title in links. The first is Grafana's home page. */
export const pages = {
  overview: { uid: 'tetragon-overview', title: 'Overview' },
  caseStudy: { uid: 'tetragon-case-study', title: 'Case study' },
  security: { uid: 'tetragon-security', title: 'Security' },
  guestbook: { uid: 'tetragon-guestbook', title: 'Guestbook' },
  logs: { uid: 'tetragon-logs', title: 'Events' },
  health: { uid: 'tetragon-health', title: 'Tetragon health' },
  class: { uid: 'tetragon-class', title: 'Class' },
} satisfies Record<string, Page>
