/**
 * Ends the command when standard input does. A container runtime lets a command run on after its client is gone: only
 * the end of standard input tells it so. `read` is part of the shell, so killing the watcher leaves no process behind.
 */
const script = `exec 3<&0
"$@" </dev/null 3<&- &
command=$!
{ while read -r line <&3; do :; done; kill -KILL $command; } >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait $command
code=$?
kill -KILL $watcher 2>/dev/null
exit $code`

/**
 * Returns a command for `kubectl exec --stdin` that ends with the connection. The caller keeps kubectl's standard input
 * open for as long as the command may run: it closes by itself when the caller or kubectl ends, however that happens.
 */
export const endsWithConnection = (command: readonly string[]): string[] => ['sh', '-c', script, 'sh', ...command]
