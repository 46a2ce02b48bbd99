import { withoutArchPrefix } from './kernel-names.ts'

// The security_ functions that the kernel calls on the way through a system call. Unlike the system call, they see the
// file or socket itself.

// cspell:disable
/** System calls, without sys_, and the security_ functions for them, without security_. */
const table = `
open openat openat2 creat open_by_handle_at: file_open
execve execveat: bprm_check
read pread64 readv preadv preadv2 write pwrite64 writev pwritev pwritev2 sendfile sendfile64 copy_file_range splice: file_permission
truncate: path_truncate
ftruncate: file_truncate
unlink unlinkat: path_unlink inode_unlink
rmdir: path_rmdir inode_rmdir
rename renameat renameat2: path_rename inode_rename
link linkat: path_link inode_link
symlink symlinkat: path_symlink inode_symlink
mkdir mkdirat: path_mkdir inode_mkdir
mknod mknodat: path_mknod inode_mknod
chmod fchmod fchmodat fchmodat2: path_chmod inode_setattr
chown lchown fchown fchownat: path_chown inode_setattr
utime utimes futimesat utimensat: inode_setattr
access faccessat faccessat2 chdir fchdir: inode_permission
stat lstat fstat newstat newlstat newfstat newfstatat statx: inode_getattr
readlink readlinkat: inode_readlink
setxattr lsetxattr fsetxattr: inode_setxattr
getxattr lgetxattr fgetxattr: inode_getxattr
removexattr lremovexattr fremovexattr: inode_removexattr
chroot: path_chroot
mount: sb_mount
umount umount2 oldumount: sb_umount
move_mount: move_mount
pivot_root: sb_pivotroot
mmap: mmap_file
mprotect pkey_mprotect: file_mprotect
ioctl: file_ioctl
fcntl: file_fcntl
flock: file_lock
socket: socket_create
socketpair: socket_socketpair
connect: socket_connect
bind: socket_bind
listen: socket_listen
accept accept4: socket_accept
sendto sendmsg sendmmsg: socket_sendmsg
recvfrom recvmsg recvmmsg: socket_recvmsg
setsockopt: socket_setsockopt
getsockopt: socket_getsockopt
shutdown: socket_shutdown
ptrace process_vm_readv process_vm_writev: ptrace_access_check
kill tkill tgkill pidfd_send_signal: task_kill
setuid setreuid setresuid: task_fix_setuid
setgid setregid setresgid: task_fix_setgid
prctl: task_prctl
setrlimit prlimit64: task_setrlimit
setpgid: task_setpgid
setpriority: task_setnice
sched_setscheduler sched_setparam sched_setattr: task_setscheduler
capset: capset
bpf: bpf
init_module: kernel_load_data
finit_module kexec_file_load: kernel_read_file
kexec_load: kernel_load_data
perf_event_open: perf_event_open
clock_settime settimeofday stime: settime64
syslog: syslog
quotactl: quotactl
keyctl: key_permission
`
// cspell:enable

let functions: ReadonlyMap<string, string[]> | undefined

/** Returns the security_ functions that a system call passes, the most useful first; none for calls such as unshare. */
export function securityFunctionsOf(syscall: string): string[] {
  functions ??= new Map(
    table
      .trim()
      .split('\n')
      .flatMap(line => {
        const [calls = '', hooks = ''] = line.split(': ')
        const names = hooks.split(' ').map(name => `security_${name}`)
        return calls.split(' ').map(call => [call, names] as const)
      }),
  )
  return functions.get(withoutArchPrefix(syscall).replace(/^sys_/, '')) ?? []
}
