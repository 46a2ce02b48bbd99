/** Formats a number of bytes: 1.3 TB, 12 GB, 1.3 GB, 64 MB, 7 kB. */
export const sizeText = (bytes: number): string => {
  if (bytes >= 1e12) return `${(bytes / 1e12).toFixed(1)} TB`
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(bytes < 9.95e9 ? 1 : 0)} GB`
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${Math.ceil(bytes / 1e3)} kB`
}
