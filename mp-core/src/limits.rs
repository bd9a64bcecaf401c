//! Every bound of the crate, with its unit and its reason.

use std::time::Duration;

/// How deep workers may start workers of their own. Each level multiplies the processes, so that a task which starts
/// a pool by mistake is stopped long before the machine is.
pub const DEPTH_MAX: u32 = 8;

/// How long a fresh process may take to say hello. Loading a large program on a busy machine takes a second; a program
/// that never reaches `mp::main!()` must not be waited for much longer.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long the threads of a fork server that its preloaded tasks have joined may take to be gone: the kernel wakes who
/// joins before it takes the thread apart.
pub const THREADS_SETTLE: Duration = Duration::from_secs(1);

/// How long a process that listens no more may take to be gone: on a busy machine the kernel takes some milliseconds to take it apart.
pub const LEAVING: Duration = Duration::from_secs(1);

/// The default grace: how long a pool that is dropped lets running calls and finalizers go on.
pub const GRACE: Duration = Duration::from_secs(2);

/// The least address space that a process may be limited to, in bytes: a small program has half of it before it runs anything. A
/// smaller number is one in other units.
pub const ADDRESS_SPACE_MIN: u64 = 16 << 20;

/// The fewest descriptors that a process may be limited to: it has a dozen itself, and needs one for each long argument.
pub const OPEN_FILES_MIN: u64 = 32;

/// How much memory a process must find below the limit of its address space before it runs anything, in bytes.
pub const ADDRESS_SPACE_LEFT: usize = 1 << 20;

/// The longest control frame in bytes. Larger payloads travel in shared memory, so that a peer cannot make us
/// allocate more than this by lying about a length.
pub const CONTROL_FRAME_BYTES_MAX: usize = 1 << 20;

/// The most descriptors that one control frame carries (Linux allows 253).
pub const CONTROL_HANDLES_MAX: usize = 64;

/// How long the reader of a control socket may leave half a message unread: its watch thread does nothing else.
pub const HALF_A_MESSAGE: Duration = Duration::from_secs(1);

/// The longest payload that is copied into a ring, in bytes. Larger ones travel in a slab of their own, so that one
/// of them does not fill the ring.
pub const INLINE_BYTES_MAX: usize = 256 << 10;

/// How much of a long result is read before other threads get their turn, in bytes: a copy of a quarter of a millisecond.
pub const PIECE_BYTES: usize = 1 << 20;

/// How long memory that somebody can still write to is tried to be sealed before it is copied instead: a worker that is about to let
/// go of it may not be let run for some time slices of others.
pub const SEAL_WITHIN: Duration = Duration::from_millis(250);

/// How often that is tried.
pub const SEAL_AGAIN: Duration = Duration::from_micros(50);

/// How many times in a row a worker runs where its caller would before it asks for another processor: a fraction of a millisecond of
/// `map`, and more than happens by chance.
pub const IN_THE_WAY_MAX: u32 = 4;

/// How long a worker that has asked does not ask again: it takes some ten microseconds to learn that no processor is idle.
pub const ASIDE_AGAIN_AFTER: Duration = Duration::from_micros(500);

/// How long an idle worker keeps what its last call left: the sealed memory mapped that it was sent, the bytes that it returned,
/// and where the parent found them.
/// Longer than a caller who sends the same again and again takes between two calls, and not so long that the memory is missed.
pub const KEPT_FOR: Duration = Duration::from_millis(100);

/// How much of the slab for its long results an idle worker keeps for the next ones, in bytes: what many are shorter than, and so
/// little that a worker for each processor is not noticed.
pub const SLAB_KEPT_BYTES: usize = 4 << 20;

/// How much of it is given back before the worker looks whether there is a call, in bytes: some 2000 pages, half a millisecond.
pub const SLAB_LEFT_AT_ONCE_BYTES: usize = 8 << 20;

/// How long the buffer is at most that is kept for the next long result, in bytes: 64 MiB, and a page for lengths.
pub const RECEIVED_BYTES_MAX: usize = (64 << 20) + 4096;

/// How many items of a list or a map may take no byte at all, such as `()`: what a lying length may make us build out of nothing.
pub const EMPTY_ITEMS_MAX: usize = 1 << 20;

/// The longest argument tuple or result, in bytes: what a lying length field may make us map.
pub const PAYLOAD_BYTES_MAX: u64 = 1 << 40;

/// The ring of a queue that was not told otherwise, in bytes. Pages exist while there is a message in them, but each process that has
/// the queue takes addresses for all of it: of 32 bits there are few.
pub const QUEUE_BYTES: u32 = if usize::BITS > 32 { QUEUE_BYTES_MAX } else { 64 << 20 };

/// The largest ring of a queue, in bytes.
pub const QUEUE_BYTES_MAX: u32 = 1 << 30;

/// The smallest ring of a queue, in bytes: a page.
pub const QUEUE_BYTES_MIN: u32 = 4096;

/// The most messages of a queue: half of what its counters can tell apart.
pub const QUEUE_ITEMS_MAX: u32 = 1 << 31;

/// How long a look at a queue waits for somebody else who looks: long against a look, short against a person's patience
/// with a process that was stopped in the middle of one.
pub const QUEUE_LOOK: Duration = Duration::from_millis(100);

/// The longest message that travels in the packet of a pipe, in bytes. A socket buffer (208 KiB
/// unless somebody changed it) holds a few of these; longer ones travel in memory of their own.
pub const PACKET_BYTES_MAX: usize = 64 << 10;

/// The most room that is made for results before they are there, in bytes: of an endless input nobody knows how many come.
pub const RESERVED_BYTES_MAX: usize = 64 << 20;

/// For how many jobs there is always room, once there were so many at a time: some 1.5 MB. The room for more goes with the last job.
pub const JOB_PLACES_KEPT: usize = 4096;

/// How much encoded input of a `map` may wait for a worker before the caller stops encoding, in bytes.
pub const BACKLOG_BYTES: usize = 1 << 20;

/// The same in items.
pub const BACKLOG_ITEMS: u64 = 1 << 16;

/// As how many bytes of it a descriptor counts: 128 of them may wait, of the 1024 that a process often may have open.
pub const BACKLOG_BYTES_PER_HANDLE: usize = BACKLOG_BYTES / 128;

/// How many items of an `imap` are out per worker, at most, unless the caller says otherwise. Measured work per item
/// decides how many of them a worker holds.
pub const READ_AHEAD_PER_WORKER: u64 = 64;

/// How long the waiting thread sleeps at most before it looks again although nobody called. A lost wake-up would be a
/// bug; this makes it a delay instead of a hang.
pub const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How often workers are looked at one by one, where nothing tells of them any more.
pub const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How long the helper thread lets pending calls wait for a caller that drives them itself.
pub const HELPER_DELAY: Duration = Duration::from_millis(2);

/// How much of a worker's last stderr output a death report keeps, in bytes.
pub const STDERR_TAIL_BYTES: usize = 4096;

/// How long stderr may stand still before the last words of a dead worker are lost there, and kept in its report only: whoever
/// buries it does so for all who wait.
pub const LAST_WORDS_WITHIN: Duration = Duration::from_millis(100);

/// The most workers of one pool: more than any machine has processors, and a typo is caught.
pub const WORKERS_MAX: usize = 4096;

/// Work that a worker holds ahead: long against a refill, for which the caller wakes up and takes a processor from a worker (some
/// 50 µs), short against what a person notices at the end, and before a call that comes behind it.
pub const CREDIT_TIME: Duration = Duration::from_millis(2);

/// Work that takes less is not split among workers.
pub const SHARE_TIME_MIN: Duration = Duration::from_micros(50);

/// A front call that has run this long no longer belongs to the short ones that were put in one line with it.
pub const STEAL_AFTER: Duration = Duration::from_millis(1);

/// Items of a job that ended before their mean is believed: the first ones contain wake-ups, which take some 50 µs.
pub const SEEN_ENOUGH: u64 = 32;

/// Items that take longer than this are given to more workers than there are processors: they may wait for something
/// else than a processor, and two wake-ups, some 20 µs, cost little against them.
pub const WIDE_FROM: Duration = Duration::from_micros(100);

/// A worker that has not answered for this long may be waiting for something else than a processor: another gets work.
pub const WIDEN_AFTER: Duration = Duration::from_millis(1);

/// How long one of several processes that share a processor may have to wait for its turn: the kernel's slice is some 3 ms.
pub const TURN: Duration = Duration::from_millis(4);

/// Turns that are waited for at most, so that nothing waits for long.
pub const TURNS_MAX: usize = 8;

/// Calls out at one worker; more would not make a refill cheaper, but a death or a revoke dearer.
pub const CALLS_OUT_MAX: u64 = 4096;

/// Items that take longer than this are refilled one by one: a dispatch costs little against them.
pub const REFILL_AT_ONCE: Duration = Duration::from_micros(50);

/// How much busy time an estimate remembers: a credit, so that a wrong one does not last.
pub const RATE_WINDOW: Duration = Duration::from_millis(2);

/// An empty worker that refused frees its ring within this time: it only has to advance its head.
pub const REFUSED_RETRY: Duration = Duration::from_micros(50);

/// A spawn that failed is not tried again sooner than this, whatever the restart policy says: no spinning.
pub const SPAWN_RETRY_MIN: Duration = Duration::from_millis(1);

/// A spawn that failed is tried again after this, however long the restart window is.
pub const SPAWN_RETRY_MAX: Duration = Duration::from_secs(1);

/// How much of a stack is left, in bytes, for the last part of a nested value and for who tells that it goes no deeper: serde's
/// functions for a large type take tens of kilobytes without optimisation. Of a small stack it is an eighth.
pub const STACK_RESERVE_BYTES: usize = 128 << 10;

/// How much stack is taken to be there, in bytes, below the place where a thread first reads or writes a part of a value: few
/// values go deeper, and to ask the system takes longer than reading those.
pub const STACK_UNASKED_BYTES: usize = 64 << 10;

/// How much is told of the way to a refused part of a value, in bytes: that of a nested one would fill pages.
pub const PATH_BYTES_MAX: usize = 200;
