/** Returns a word as a POSIX shell reads it back: unchanged where that is safe, else in single quotes. */
export const shellQuote = (word: string): string =>
  /^[\w.:/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
