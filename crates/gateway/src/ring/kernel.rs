//! The part of io_uring that is unsafe: a ring with its provided buffers.
//!
//! What makes it sound:
//! - No operation is given memory of a future. A receive takes a buffer of [`Buffers`] at the moment in which data is
//!   there; a wait for writability needs none. Dropping a future can therefore not free what the kernel writes to.
//! - The buffers, and the ring through which they are provided, are never unmapped: a worker lives as long as its process.
//! - A buffer belongs to the kernel from [`Buffers::provide`] until a completion names it, and to us from then until it
//!   is provided again. Completions name a buffer once, and [`Kernel::take_buffer`] takes it by its id right after.
//! - A send is given a copy of its bytes in [`Sends`], which are never unmapped either; the copy is not written to again
//!   before the send's completion has come.
//! - An operation names its socket by number until it is submitted. Whoever closes a socket that has an operation under
//!   way calls [`Kernel::cancel`] before, which submits.

#![expect(unsafe_code, reason = "the only module that shares memory with the kernel; the proof is above")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::{BufRingEntry, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::mm::{MapFlags, ProtFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Operations that are submitted at once; more are submitted in parts, so that of very many sessions none waits for all.
const ENTRIES: u32 = 128;
/// Completions that fit; the kernel keeps those that do not.
const COMPLETIONS: u32 = 4096;
/// A power of two, as the kernel wants it.
const BUFFERS: u16 = 128;
/// What most packets fit into. After a receive that leaves something behind the socket is read directly.
const BUFFER_BYTES: usize = 4096;
const GROUP: u16 = 0;
/// Sends under way at once for which a copy is kept, and how long such a copy can be.
const SENDS: u16 = 256;
const SEND_BYTES: usize = 4096;
/// Do not try before something has arrived: `IORING_RECVSEND_POLL_FIRST`.
const POLL_FIRST: u16 = 1;

/// The completion of a cancellation, in which nobody is interested.
const CANCELLED: u64 = u64::MAX;

/// An operation that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    pub(super) key: u64,
    /// As of the system call: a length, or a negative error number.
    pub(super) result: i32,
    /// The buffer that has the data.
    pub(super) buffer: Option<u16>,
    /// The socket had more.
    pub(super) more: bool,
}

impl Completion {
    /// The outcome of a send of `len` bytes.
    pub(super) fn all_of(&self, len: usize) -> io::Result<()> {
        match usize::try_from(self.result) {
            Ok(sent) if sent == len => Ok(()),
            Ok(_) => Err(io::ErrorKind::WriteZero.into()),
            Err(_) => Err(io::Error::from_raw_os_error(-self.result)),
        }
    }
}

/// How long [`Kernel::enter`] waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    No,
    /// Until an operation other than a send has ended, or for this time.
    AtMost(Duration),
}

pub(super) struct Kernel {
    ring: IoUring,
    buffers: Buffers,
    sends: Sends,
    /// Sends that were not submitted yet.
    unsent: u32,
}

impl Kernel {
    /// An error where the kernel does not have all that is needed, or does not allow it.
    pub(super) fn new() -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun().setup_taskrun_flag();
        builder.setup_clamp().setup_cqsize(COMPLETIONS);
        let ring = builder.build(ENTRIES)?;
        if !ring.params().is_feature_ext_arg() || !ring.params().is_feature_nodrop() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut buffers = Buffers::new()?;
        // SAFETY: the entries are page-aligned, zeroed, `BUFFERS` long, and never freed.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                buffers.entries.as_ptr() as u64,
                BUFFERS,
                GROUP,
                0,
            )?;
        }
        for id in 0..BUFFERS {
            buffers.provide(id);
        }
        Ok(Self { ring, buffers, sends: Sends::new()?, unsent: 0 })
    }

    /// Has the bell rung whenever an operation can be brought to its end, unless [`Self::quieten`] says otherwise.
    pub(super) fn register(&self, bell: &Bell) -> io::Result<()> {
        self.ring.submitter().register_eventfd(bell.0.as_raw_fd())
    }

    pub(super) fn quieten(&mut self, quiet: bool) {
        let completions = self.ring.completion();
        if quiet { completions.disable_eventfd() } else { completions.enable_eventfd() }
    }

    /// Receives once into a provided buffer.
    pub(super) fn receive(&mut self, socket: RawFd, key: u64) -> io::Result<()> {
        let receive = opcode::Recv::new(Fd(socket), std::ptr::null_mut(), 0)
            .buf_group(GROUP)
            .ioprio(POLL_FIRST)
            .build();
        self.push(&receive.flags(squeue::Flags::BUFFER_SELECT).user_data(key))
    }

    /// Sends a copy of `bytes`; the number of that copy, to be given to [`Self::let_go`] when the send has ended. `None`
    /// where no copy can be kept.
    pub(super) fn send(&mut self, socket: RawFd, key: u64, bytes: &[u8]) -> io::Result<Option<u16>> {
        let Some((id, copy)) = self.sends.keep(bytes) else { return Ok(None) };
        let send = opcode::Send::new(Fd(socket), copy, bytes.len() as u32)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .build();
        self.push(&send.user_data(key))?;
        self.unsent += 1;
        Ok(Some(id))
    }

    /// The completion of the send has come, and its copy serves for another.
    pub(super) fn let_go(&mut self, copy: u16) {
        self.sends.free.push(copy);
    }

    /// Ends when the socket takes something again, or is closed.
    pub(super) fn await_writable(&mut self, socket: RawFd, key: u64) -> io::Result<()> {
        self.push(&opcode::PollAdd::new(Fd(socket), libc::POLLOUT as u32).build().user_data(key))
    }

    /// Cancels an operation, whose completion still comes; a send that the socket can take is done before. After this
    /// the socket can be closed.
    pub(super) fn cancel(&mut self, key: u64) -> io::Result<()> {
        self.push(&opcode::AsyncCancel::new(key).build().user_data(CANCELLED))?;
        self.ring.submit().map(drop)
    }

    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: what an entry points to, and what receives write to, is proved above.
            match unsafe { self.ring.submission().push(entry) } {
                Ok(()) => return Ok(()),
                Err(_) => self.ring.submit().map(drop)?,
            }
        }
    }

    /// Submits what has been asked for, and has the kernel do what it has left for this moment.
    pub(super) fn enter(&mut self, wait: Wait) {
        // Deferred work is done only by a call that asks for events: `IORING_ENTER_GETEVENTS`, `IORING_ENTER_EXT_ARG`.
        const FLAGS: u32 = 1 | 8;
        let queued = self.ring.submission().len() as u32;
        let (want, time) = match wait {
            Wait::No => (0, Timespec::new()),
            // Sends end at once, mostly.
            Wait::AtMost(time) => (self.unsent + 1, Timespec::from(time)),
        };
        self.unsent = 0;
        let args = SubmitArgs::new().timespec(&time);
        // SAFETY: the arguments live until the call returns. Whatever the error (time is up, a signal, memory is short),
        // what was not submitted stays in the queue for the next call.
        let _ = unsafe { self.ring.submitter().enter(queued, want, FLAGS, Some(&args)) };
    }

    /// The next operation that has ended.
    pub(super) fn next_ended(&mut self) -> Option<Completion> {
        let entry = self.ring.completion().find(|entry| entry.user_data() != CANCELLED)?;
        Some(Completion {
            key: entry.user_data(),
            result: entry.result(),
            buffer: cqueue::buffer_select(entry.flags()),
            more: cqueue::sock_nonempty(entry.flags()),
        })
    }

    /// Hands over what a completion has put into a buffer, and provides the buffer again.
    pub(super) fn take_buffer<T>(&mut self, id: u16, len: usize, take: impl FnOnce(&[u8]) -> T) -> T {
        let taken = take(self.buffers.filled(id, len));
        self.buffers.provide(id);
        taken
    }

    /// Throws away what was received.
    pub(super) fn discard(&mut self, completion: &Completion) {
        if let Some(id) = completion.buffer {
            self.buffers.provide(id);
        }
    }
}

/// Wakes the worker's runtime when the ring has something for it. To be kept as long as the worker runs.
#[derive(Debug)]
pub(crate) struct Bell(AsyncFd<OwnedFd>);

impl Bell {
    /// On the worker's thread, inside its runtime.
    pub(super) fn new() -> io::Result<Self> {
        let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK)?;
        // SAFETY: the descriptor is owned, so it stays open and the same as long as it is registered.
        Ok(Self(unsafe { AsyncFd::register_with_interest(event, Interest::READABLE) }?))
    }
}

/// Copies of what is being sent.
struct Sends {
    bytes: NonNull<u8>,
    free: Vec<u16>,
}

impl Sends {
    fn new() -> io::Result<Self> {
        Ok(Self { bytes: pages(usize::from(SENDS) * SEND_BYTES)?, free: (0..SENDS).collect() })
    }

    fn keep(&mut self, bytes: &[u8]) -> Option<(u16, *const u8)> {
        if bytes.len() > SEND_BYTES {
            return None;
        }
        let id = self.free.pop()?;
        // SAFETY: within the allocation, and no send is under way that reads it, as it was free.
        let copy = unsafe {
            let copy = self.bytes.as_ptr().add(usize::from(id) * SEND_BYTES);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            copy
        };
        Some((id, copy))
    }
}

/// Buffers that the kernel takes as it needs them.
struct Buffers {
    entries: NonNull<BufRingEntry>,
    bytes: NonNull<u8>,
    tail: u16,
}

impl Buffers {
    fn new() -> io::Result<Self> {
        let entries = pages(usize::from(BUFFERS) * size_of::<BufRingEntry>())?.cast();
        Ok(Self { entries, bytes: pages(usize::from(BUFFERS) * BUFFER_BYTES)?, tail: 0 })
    }

    fn filled(&self, id: u16, len: usize) -> &[u8] {
        assert!(id < BUFFERS && len <= BUFFER_BYTES, "the kernel names a buffer that it was not given");
        // SAFETY: within the allocation, initialised (zeroed, or written by the kernel), and ours by now.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().add(usize::from(id) * BUFFER_BYTES), len) }
    }

    /// Gives a buffer to the kernel.
    fn provide(&mut self, id: u16) {
        // SAFETY: within the allocations; the kernel reads an entry only once the tail is beyond it, and the entry at
        // the tail has been used up, as there are no more buffers than entries.
        unsafe {
            let entry = &mut *self.entries.as_ptr().add(usize::from(self.tail & (BUFFERS - 1)));
            entry.set_addr(self.bytes.as_ptr().add(usize::from(id) * BUFFER_BYTES) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(id);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}

/// Zeroes, from the beginning of a page on, never freed. They take up memory as they are used.
fn pages(bytes: usize) -> io::Result<NonNull<u8>> {
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: a mapping of its own, which replaces none.
    let mapped = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), bytes, protection, flags)? };
    NonNull::new(mapped.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}
