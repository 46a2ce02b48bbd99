// Reads just enough shell to find the programs that a command starts.

/** Words that are no programs: keywords, and commands of the shell itself. */
const builtins = new Set(
  `if then else elif fi for do done while until case esac in { } ! [ [[ : . cd command echo eval exec exit export false
  local printf pwd read return set shift test trap true type ulimit umask unset wait`.split(/\s+/),
)

/**
 * Splits a command line into words, up to its end: a line end, `;`, `|`, `&`, `)`, a backtick or a comment outside
 * quotes.
 */
export function shellWords(text: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (quote) {
      if (char === quote) quote = ''
      else if (char === '\\' && quote === '"' && /["\\$`]/.test(text[at + 1] ?? '')) word += text[++at]!
      else word += char
    } else if (char === "'" || char === '"') {
      quote = char
      word ??= ''
    } else if (char === '\\') {
      if (text[at + 1] === '\n') at++
      else word = (word ?? '') + (text[++at] ?? '')
    } else if (/[\n;|&)`]/.test(char) || (char === '#' && word === undefined)) {
      break
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word = (word ?? '') + char
    }
  }
  return word === undefined ? words : [...words, word]
}

/** Returns the script of `sh -c SCRIPT`; undefined for another command. */
export function unwrapShell(command: string[]): string | undefined {
  const [program, flag, script] = command
  return /(^|\/)(ash|bash|dash|sh)$/.test(program ?? '') && flag === '-c' ? script : undefined
}

/**
 * Returns the programs that a script starts, without those of the shell itself and its own functions. A program that
 * the script looks for with `command -v` may be missing.
 */
export function commandsIn(script: string): string[] {
  const code = script
    .replaceAll(/\\\n/g, ' ')
    .replaceAll(/(^|\s)#.*$/gm, '$1')
    .replaceAll(/\d?[<>]&[\d-]/g, '')
    .replaceAll(/\$\(\([^\n]*?\)\)/g, '0')
  const optional = new Set([...code.matchAll(/command -v (\S+?)(?=[\s;]|$)/g)].map(match => match[1]))
  const functions = new Set([...code.matchAll(/^\s*(\w+)\(\)/gm)].map(match => match[1]))
  const found = new Set<string>()
  for (const part of withoutQuotes(code).split(/[\n;|&()`]|\$\(/)) {
    const words = part.trim().split(/\s+/)
    while (
      words[0] &&
      (/^(\w+=|[<>\d]*[<>])/.test(words[0]) || /^(if|then|else|elif|do|while|until|!|\{)$/.test(words[0]))
    )
      words.shift()
    const [program] = words
    if (
      program &&
      /^[\w./-]+$/.test(program) &&
      !builtins.has(program) &&
      !optional.has(program) &&
      !functions.has(program)
    )
      found.add(program)
  }
  return [...found]
}

/** Replaces quoted text, except command substitutions in double quotes. */
function withoutQuotes(code: string): string {
  return code
    .replaceAll(/'[^']*'/g, "''")
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, text => ['"', ...(text.match(/\$\([^)]*\)/g) ?? []), '"'].join(''))
    .replaceAll('"', '')
}
