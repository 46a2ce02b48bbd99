import DefaultTheme from 'vitepress/theme'
import './style.css'
import MermaidDiagram from './MermaidDiagram.vue'

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }: { app: { component(name: string, component: unknown): void } }) =>
    app.component('MermaidDiagram', MermaidDiagram),
}
