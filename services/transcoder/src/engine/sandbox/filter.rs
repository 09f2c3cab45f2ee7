//! The system calls that a program which reads strangers' files is not to make.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Calls that reach beyond the process: sockets, other processes, what has been the way out of many a jail, and what root
/// could do to the machine, as whom the service may run.
const FORBIDDEN: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // Landlock keeps signals in from Linux 6.12 on, this does everywhere. A program that aborts ends all the same.
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
    libc::SYS_pidfd_getfd,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_io_uring_setup,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_acct,
];

/// What makes a process in a namespace of its own, in which it would be its own master: clone(2).
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Set in the numbers of x32's calls, which an x86-64 kernel may know too: `__X32_SYSCALL_BIT` of asm/unistd.h.
const X32: libc::c_long = 0x4000_0000;
/// Calls that x32 has numbers of its own for: rt_sigqueueinfo, ptrace, kexec_load, rt_tgsigqueueinfo, process_vm_readv and
/// process_vm_writev (arch/x86/entry/syscalls/syscall_64.tbl).
const X32_ONLY: [libc::c_long; 6] = [524, 521, 528, 536, 539, 540];

/// What a thread applies to itself, one after the other. `None` on a processor that the compiler of filters does not know.
pub fn filters() -> Option<[BpfProgram; 2]> {
    let rules = forbidden().map(|call| (call, Vec::new())).chain([(libc::SYS_clone, namespaces()?)]);
    // The flags of clone3 lie in memory, where a filter cannot look. It seems missing, so that C libraries use clone.
    let unseen = [(libc::SYS_clone3, Vec::new())];
    Some([program(rules.collect(), libc::EPERM)?, program(unseen.into(), libc::ENOSYS)?])
}

fn forbidden() -> Box<dyn Iterator<Item = libc::c_long>> {
    if cfg!(target_arch = "x86_64") {
        let x32 = FORBIDDEN.iter().copied().chain([libc::SYS_clone, libc::SYS_clone3]).chain(X32_ONLY);
        Box::new(FORBIDDEN.iter().copied().chain(x32.map(|call| call | X32)))
    } else {
        Box::new(FORBIDDEN.iter().copied())
    }
}

/// One rule for each namespace: any of them is enough.
fn namespaces() -> Option<Vec<SeccompRule>> {
    let rule = |flag: libc::c_int| {
        let flag = u64::from(flag.unsigned_abs());
        let is_set = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag);
        SeccompRule::new(vec![is_set.ok()?]).ok()
    };
    NAMESPACES.into_iter().map(rule).collect()
}

/// These calls fail with this error, and all others go through.
fn program(rules: BTreeMap<libc::c_long, Vec<SeccompRule>>, error: libc::c_int) -> Option<BpfProgram> {
    let fails = SeccompAction::Errno(error.unsigned_abs());
    let processor = std::env::consts::ARCH.try_into().ok()?;
    SeccompFilter::new(rules, SeccompAction::Allow, fails, processor).ok()?.try_into().ok()
}
