//! A gate at which tasks wait until a test lets them go: how tests meet running calls without sleeping.

use std::io::{ErrorKind, Read, Write};
use wire::{Listener, Stream};

/// The side of the test. Dropping it opens the gate for good: who waits goes on, who comes later does not wait.
pub struct Gate {
    listener: Listener,
    name: String,
}

/// Somebody who waits at the gate. Dropping it lets them go.
pub struct Guest {
    _stream: Stream,
    /// The process that waits.
    pub pid: u32,
    /// What it said.
    pub word: i64,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        let (listener, name) = wire::listen();
        Self { listener, name }
    }

    /// By which a task finds the gate.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits for the next one to come.
    pub fn guest(&self) -> Guest {
        loop {
            if let Some(guest) = Self::receive(self.listener.accept().unwrap().0) {
                return guest;
            }
        }
    }

    /// Who is there now, if anybody is.
    pub fn guest_now(&self) -> Option<Guest> {
        self.listener.set_nonblocking(true).unwrap();
        let came = self.listener.accept();
        self.listener.set_nonblocking(false).unwrap();
        match came {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                Self::receive(stream)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Nobody, if whoever knocked was killed doing so.
    fn receive(mut stream: Stream) -> Option<Guest> {
        let mut bytes = [0; 12];
        stream.read_exact(&mut bytes).ok()?;
        let (pid, word) = bytes.split_at(4);
        Some(Guest {
            pid: u32::from_le_bytes(pid.try_into().unwrap()),
            word: i64::from_le_bytes(word.try_into().unwrap()),
            _stream: stream,
        })
    }
}

/// Waits at a gate, unless it is open for good.
pub fn knock(gate: &str, word: i64) {
    let Ok(mut stream) = wire::connect(gate) else { return };
    let mut bytes = std::process::id().to_le_bytes().to_vec();
    bytes.extend(word.to_le_bytes());
    if stream.write_all(&bytes).is_ok() {
        // The end of the stream, or its breaking, is the answer.
        let _ = stream.read(&mut [0]);
    }
}

/// Waits at the gate, then returns its word.
#[mp::task]
pub fn wait_at(gate: &str, word: i64) -> i64 {
    knock(gate, word);
    word
}

#[cfg(target_os = "linux")]
mod wire {
    use std::io;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    pub use std::os::unix::net::{UnixListener as Listener, UnixStream as Stream};
    use std::sync::atomic::{AtomicU32, Ordering};

    pub fn listen() -> (Listener, String) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mp-gate-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        (Listener::bind_addr(&address(&name)).unwrap(), name)
    }

    pub fn connect(name: &str) -> io::Result<Stream> {
        Stream::connect_addr(&address(name))
    }

    fn address(name: &str) -> SocketAddr {
        SocketAddr::from_abstract_name(name).unwrap()
    }
}

#[cfg(not(target_os = "linux"))]
mod wire {
    use std::io;
    pub use std::net::{TcpListener as Listener, TcpStream as Stream};

    pub fn listen() -> (Listener, String) {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let name = listener.local_addr().unwrap().to_string();
        (listener, name)
    }

    pub fn connect(name: &str) -> io::Result<Stream> {
        Stream::connect(name)
    }
}
