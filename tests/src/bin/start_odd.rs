//! A program whose surroundings are odd: `start_odd CASE [NUMBER]`. It prints what comes of it, method by method.

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

#[cfg(target_os = "linux")]
mod linux {
    use mp::{Context, StartMethod};

    #[mp::task]
    fn double(x: u64) -> u64 {
        2 * x
    }

    #[mp::task]
    fn leave(code: i32) {
        std::process::exit(code);
    }

    /// The first call of a new pool, by each clean way of starting processes.
    fn first_calls() -> Vec<String> {
        let methods = [StartMethod::Spawn, StartMethod::ForkServer];
        let calls = methods.map(|method| Context::new(method).pool(1)?.apply(double, (21,)));
        calls
            .into_iter()
            .map(|value| value.map_or_else(|error| error.to_string(), |x| x.to_string()))
            .collect()
    }

    /// Has the kernel say of this system call, here and in all processes that are started, that there is no such thing.
    fn deny(call: u32) {
        let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
        let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        let answer = (libc::BPF_RET | libc::BPF_K) as u16;
        let mut filter = [
            op(load, 0, 0, std::mem::offset_of!(libc::seccomp_data, nr) as u32),
            op(equal, 0, 1, call),
            op(answer, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
            op(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: duty: a filter that lives during the call: a local. Each of its jumps stays within it.
        let results = unsafe {
            [
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program),
            ]
        };
        assert_eq!(results, [0, 0]);
    }

    pub fn run() -> Result<(), mp::Error> {
        let case = std::env::args().nth(1).unwrap();
        match case.as_str() {
            "first calls" => println!("{}", first_calls().join("\n")),
            "named memory" => {
                let name = format!("mp-test-odd-{}", std::process::id());
                println!("{}", mp::shm::SharedMemory::create_named(&name, 1).unwrap_err());
            }
            "without" => {
                deny(std::env::args().nth(2).unwrap().parse().unwrap());
                println!("{}", first_calls().join("\n"));
            }
            "spawned without" => {
                deny(std::env::args().nth(2).unwrap().parse().unwrap());
                println!("{}", mp::spawn(double, (21,))?.join().unwrap_err());
            }
            "without rights" => {
                let file = std::env::current_exe().unwrap();
                let nobody = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                std::fs::set_permissions(file, nobody).unwrap();
                println!("{}", first_calls().join("\n"));
            }
            "silent" => {
                for method in [StartMethod::Spawn, StartMethod::ForkServer] {
                    let process = Context::new(method).process(double, (21,)).stdout(mp::Output::Null);
                    match process.start().and_then(|process| process.join()) {
                        Ok(value) => println!("{value}"),
                        Err(error) => println!("{error}"),
                    }
                }
            }
            "deaths" => {
                // SAFETY: duty: a valid disposition: to ignore is one.
                unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
                for method in [StartMethod::Spawn, StartMethod::ForkServer] {
                    let context = Context::new(method);
                    println!("{}", context.pool(1)?.apply(leave, (3,)).unwrap_err());
                    println!("{}", context.spawn(leave, (3,))?.join().unwrap_err());
                }
            }
            other => panic!("{other}?"),
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), mp::Error> {
    mp::main!();
    linux::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {}
