//! Receiving bytes and the handles that came along.

use super::platform::socket_flags;
use super::{BorrowedHandle, Handle};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

/// Handles that travel at once: Linux's `SCM_MAX_FD`; other systems have room for as many.
pub(super) const HANDLES_MAX: usize = 253;

/// Room for that many, and one more of our own.
pub(super) const SPACE: usize = rustix::cmsg_space!(ScmRights(HANDLES_MAX + 1));

/// Receives, and appends the handles that came along: closed on exec before anybody can start a process. With a part lost
/// on the way there are none of them.
pub(super) fn receive(
    socket: BorrowedHandle<'_>,
    bytes: &mut [u8],
    handles: &mut Vec<Handle>,
    flags: RecvFlags,
) -> Result<(usize, ReturnFlags), Errno> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    loop {
        let moment = socket_flags::Moment::to_receive(socket, flags)?;
        let flags = flags | socket_flags::RECEIVED;
        let received = match recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut control, flags) {
            Err(Errno::AGAIN) if moment.waits() => continue,
            received => received?,
        };
        // The handles that did arrive of a message that lost some are closed by the drop of `control`.
        if !received.flags.contains(ReturnFlags::CTRUNC) {
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(arrived) = message {
                    handles.extend(arrived.inspect(|handle| moment.mark(handle)));
                }
            }
        }
        return Ok((received.bytes, received.flags));
    }
}

/// Sends once: a part of `bytes`, and with the first of them all of `handles`.
pub(super) fn send(
    socket: BorrowedHandle<'_>,
    bytes: &[IoSlice<'_>],
    handles: &[BorrowedHandle<'_>],
    flags: SendFlags,
) -> io::Result<Result<usize, Errno>> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !handles.is_empty() && !control.push(SendAncillaryMessage::ScmRights(handles)) {
        return Err(io::Error::other("the space for handles was measured wrong"));
    }
    Ok(sendmsg(socket, bytes, &mut control, socket_flags::NO_SIGNAL | flags))
}
