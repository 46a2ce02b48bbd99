/** What a crash or a full disk leaves of a JSON file. */
export const truncatedFiles = ['', '{"', 'null', '[]', '{"pid": -1}', 'x\0']
