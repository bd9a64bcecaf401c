//! Starting a program. What std's `Command` cannot do: the child is in its job from its first moment on, so that nothing is
//! left of it when we are killed while it is made; and it inherits the three handles that are meant for it, whatever other
//! threads start at the same time.

#![allow(unsafe_code)] // CreateProcessW

use super::call::{checked, number, owned};
use super::process::Spawn;
use super::{BorrowedHandle, Handle, borrow, family};
use std::ffi::{OsStr, OsString, c_void};
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;
use windows_sys::Win32::Foundation::{ERROR_INTERNAL_ERROR, HANDLE};
use windows_sys::Win32::System::Console::{STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_UNICODE_ENVIRONMENT, CreateProcessW, DeleteProcThreadAttributeList,
    EXTENDED_STARTUPINFO_PRESENT, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROC_THREAD_ATTRIBUTE_JOB_LIST, PROCESS_INFORMATION,
    STARTF_USESTDHANDLES, STARTUPINFOEXW, UpdateProcThreadAttribute,
};

/// A process that has been started, and its number.
pub struct Started {
    /// The process.
    pub handle: Handle,
    /// Its number.
    pub pid: u32,
}

/// Starts this program again in `job`. A terminal's Ctrl-C is for us: the child has no part in it.
pub fn start(spawn: Spawn, job: BorrowedHandle<'_>) -> io::Result<Started> {
    let Spawn { args, marker, env, current_dir, program, stdin, stdout, stderr } = spawn;
    let program = program.map_or_else(std::env::current_exe, Ok)?;
    let mut line = Vec::new();
    push_quoted(&mut line, program.as_os_str())?;
    let word = OsString::from(family::word_for_child());
    for arg in args.into_iter().skip(1).chain([word, marker.into()]) {
        line.push(b' '.into());
        push_quoted(&mut line, &arg)?;
    }
    line.push(0);
    let environment = environment(&env)?;
    let program = ended(program.as_os_str())?;
    let dir = current_dir.as_deref().map(Path::as_os_str).map(ended).transpose()?;
    let (stdin, place) = stdin.into_stdio();
    let streams =
        [stdin.open(STD_INPUT_HANDLE)?, stdout.open(STD_OUTPUT_HANDLE)?, stderr.open(STD_ERROR_HANDLE)?];
    let [input, output, error] = streams
        .each_ref()
        .map(|stream| stream.as_ref().map_or(std::ptr::null_mut(), |stream| number(borrow(stream))));
    let mut inherited: Vec<HANDLE> =
        [input, output, error].into_iter().filter(|handle| !handle.is_null()).collect();
    let mut jobs = [number(job)];
    let mut attributes = Attributes::new(2)?;
    attributes.add(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &mut inherited)?;
    attributes.add(PROC_THREAD_ATTRIBUTE_JOB_LIST, &mut jobs)?;
    let mut startup = STARTUPINFOEXW { lpAttributeList: attributes.list(), ..STARTUPINFOEXW::default() };
    startup.StartupInfo.cb = size_of::<STARTUPINFOEXW>() as u32;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    (startup.StartupInfo.hStdInput, startup.StartupInfo.hStdOutput, startup.StartupInfo.hStdError) =
        (input, output, error);
    let flags = CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
    let mut made = PROCESS_INFORMATION::default();
    insist(|| {
        // SAFETY: duty: valid pointers: strings that end in NUL, the line one that may be written to, the environment in
        // two; live locals; the attributes and what they lead to live until the call is over.
        checked(unsafe {
            CreateProcessW(
                program.as_ptr(),
                line.as_mut_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                1,
                flags,
                environment.as_ptr().cast(),
                dir.as_ref().map_or(std::ptr::null(), Vec::as_ptr),
                (&raw const startup).cast(),
                &raw mut made,
            )
        })
    })?;
    // SAFETY: duty: handles that are nobody else's: made just now.
    let (process, thread) = unsafe { (owned(made.hProcess)?, owned(made.hThread)?) };
    drop((thread, attributes));
    let _ = place.set(family::Peer::of(made.dwProcessId, super::duplicate(borrow(&process))?));
    Ok(Started { handle: process, pid: made.dwProcessId })
}

/// A process that the system keeps losing is started so often.
const STARTS_MAX: u32 = 3;

/// Starts a process, again if the system lost it before its first instruction and does not know why: Wine does so now and then.
fn insist(mut start: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 1..STARTS_MAX {
        match start() {
            Err(error) if error.raw_os_error() == Some(ERROR_INTERNAL_ERROR.cast_signed()) => {}
            started => return started,
        }
    }
    start()
}

/// What the system is told beside the usual.
struct Attributes(Vec<usize>);

impl Attributes {
    fn new(count: u32) -> io::Result<Self> {
        let mut bytes = 0;
        // SAFETY: duty: valid pointers: null asks for the size, a live local takes it.
        unsafe { InitializeProcThreadAttributeList(std::ptr::null_mut(), count, 0, &raw mut bytes) };
        let mut attributes = Self(vec![0; bytes.div_ceil(size_of::<usize>())]);
        // SAFETY: duty: a valid pointer to so many bytes: made by the line above.
        checked(unsafe { InitializeProcThreadAttributeList(attributes.list(), count, 0, &raw mut bytes) })?;
        Ok(attributes)
    }

    fn list(&mut self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.0.as_mut_ptr().cast()
    }

    /// The handles must stay where they are until the process is made.
    fn add(&mut self, what: u32, handles: &mut [HANDLE]) -> io::Result<()> {
        let start: *const c_void = handles.as_ptr().cast();
        // SAFETY: duty: valid pointers: an initialised list with room for one more, and handles of this length that the
        // caller keeps.
        checked(unsafe {
            UpdateProcThreadAttribute(
                self.list(),
                0,
                what as usize,
                start,
                size_of_val(handles),
                std::ptr::null_mut(),
                std::ptr::null(),
            )
        })
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: duty: an initialised list: `new` has made it.
        unsafe { DeleteProcThreadAttributeList(self.list()) };
    }
}

/// Text that ends in NUL and has no other.
fn ended(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = text.encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a NUL in what a process is started with"));
    }
    wide.push(0);
    Ok(wide)
}

/// Appends an argument so that the C library of the child, and std there, read what it was.
fn push_quoted(line: &mut Vec<u16>, arg: &OsStr) -> io::Result<()> {
    let [quote, backslash] = [b'"', b'\\'].map(u16::from);
    let arg = ended(arg)?;
    let arg = &arg[..arg.len() - 1];
    let must = arg.is_empty() || arg.iter().any(|unit| [b' ', b'\t'].map(u16::from).contains(unit));
    line.extend(must.then_some(quote));
    let mut backslashes = 0;
    for &unit in arg {
        if unit == quote {
            // Those before a quote count double, and the quote needs one of its own.
            line.extend(std::iter::repeat_n(backslash, backslashes + 1));
        }
        backslashes = if unit == backslash { backslashes + 1 } else { 0 };
        line.push(unit);
    }
    if must {
        line.extend(std::iter::repeat_n(backslash, backslashes));
        line.push(quote);
    }
    Ok(())
}

/// Our environment with changes: `name=value`, each with a NUL behind it, in order, and one more NUL. Names are the same
/// whatever their case.
fn environment(changes: &[(OsString, Option<OsString>)]) -> io::Result<Vec<u16>> {
    let mut variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    for (name, value) in changes {
        variables.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        variables.extend(value.iter().map(|value| (name.clone(), value.clone())));
    }
    variables.sort_by_key(|(name, _)| name.to_ascii_uppercase());
    let mut block = Vec::new();
    for (name, value) in &variables {
        block.extend(ended(name)?.iter().take_while(|unit| **unit != 0));
        block.push(b'='.into());
        block.extend(ended(value)?);
    }
    // An empty block ends in two as well.
    block.extend(variables.is_empty().then_some(0));
    block.push(0);
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_the_system_has_lost_is_made_again_a_few_times() {
        let tries_of = |errors: &[u32]| {
            let mut tries = 0;
            let mut errors = errors.iter();
            let ended = insist(|| {
                tries += 1;
                let error = errors.next();
                error.map_or(Ok(()), |error| Err(io::Error::from_raw_os_error(error.cast_signed())))
            });
            (tries, ended.err().and_then(|error| error.raw_os_error()))
        };
        let lost = ERROR_INTERNAL_ERROR;
        assert_eq!(tries_of(&[]), (1, None));
        assert_eq!(tries_of(&[lost, lost]), (3, None));
        assert_eq!(tries_of(&[lost; 9]), (STARTS_MAX, Some(1359)));
        assert_eq!(tries_of(&[2]), (1, Some(2)));
    }

    #[test]
    fn arguments_are_quoted_as_they_are_read() {
        let quoted = |arg: &str| {
            let mut line = Vec::new();
            push_quoted(&mut line, arg.as_ref()).unwrap();
            String::from_utf16(&line).unwrap()
        };
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted(""), r#""""#);
        assert_eq!(quoted("a b"), r#""a b""#);
        assert_eq!(quoted(r"a\b"), r"a\b");
        assert_eq!(quoted(r"a b\"), r#""a b\\""#);
        assert_eq!(quoted(r#"a"b"#), r#"a\"b"#);
        assert_eq!(quoted(r#"\""#), r#"\\\""#);
        assert!(push_quoted(&mut Vec::new(), "a\0".as_ref()).is_err());
    }

    #[test]
    fn changes_of_the_environment_know_no_case() {
        let change = |name: &str, value: Option<&str>| (name.into(), value.map(OsString::from));
        let block =
            environment(&[change("MP_One", Some("1")), change("path", None), change("mp_ONE", Some("2"))]);
        let text = String::from_utf16(&block.unwrap()).unwrap();
        assert!(text.ends_with("\0\0") && !text.contains("\0PATH="), "{text:?}");
        assert!(text.contains("mp_ONE=2\0") && !text.contains("MP_One"), "{text:?}");
        assert!(environment(&[change("a\0", Some("b"))]).is_err());
    }
}
