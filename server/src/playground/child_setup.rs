//! What a child process does between `fork` and `exec`; the only `unsafe` of the playground.
//!
//! Proof for both functions: a `pre_exec` closure runs in the forked child, where only async-signal-safe calls are
//! allowed. `prctl`, `getppid` and `setsid` are plain system calls, the closures capture one integer by value, and an
//! error is returned as `io::Error::from_raw_os_error` or `last_os_error`, which do not allocate.
#![expect(unsafe_code, reason = "pre_exec is the only way to run prctl and setsid in the child")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Makes the kernel kill the child when the thread that spawns it ends, even by `kill -9`.
///
/// The signal follows the *thread*: spawn from the main thread only.
pub(super) fn die_with_parent(command: &mut Command) {
    let parent = i64::from(std::process::id());
    let in_child = move || {
        // SAFETY: see the module's proof. PR_SET_PDEATHSIG takes one integer argument.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have died before the request was made; then nobody would ever send the signal.
        // SAFETY: `getppid` has no arguments and cannot fail.
        if i64::from(unsafe { libc::getppid() }) != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: see the module's proof.
    unsafe { command.pre_exec(in_child) };
}

/// Gives the child a session of its own, so that closing the terminal does not reach it.
pub(super) fn leave_the_terminal(command: &mut Command) {
    let in_child = || {
        // SAFETY: `setsid` has no arguments; it fails only for a group leader, and a fresh child is none.
        if unsafe { libc::setsid() } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: see the module's proof.
    unsafe { command.pre_exec(in_child) };
}

/// The user that this process acts as.
pub(super) fn effective_user_id() -> u32 {
    // SAFETY: `geteuid` has no arguments and cannot fail.
    unsafe { libc::geteuid() }
}

/// Asks a process to end as `kill PID` does.
pub(super) fn terminate(process_id: u32) -> io::Result<()> {
    let pid = i32::try_from(process_id).ok().filter(|pid| *pid > 1);
    let Some(pid) = pid else { return Err(io::Error::from_raw_os_error(libc::ESRCH)) };
    // SAFETY: `kill` takes two integers; a positive pid names exactly one process.
    if unsafe { libc::kill(pid, libc::SIGTERM) } != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
