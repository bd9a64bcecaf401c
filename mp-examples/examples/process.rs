//! Processes of their own: who they are, what they return, and how they end.

use mp::{Process, current_process, parent_process};

#[mp::task]
fn introduce(guest: &str) -> (u32, Option<u32>, String) {
    let me = current_process();
    let parent = parent_process();
    let whose = parent.as_ref().map_or("nobody", |parent| &parent.name);
    println!("{guest}: I am \"{}\", a child of \"{whose}\"", me.name);
    (me.pid, parent.map(|parent| parent.pid), me.name)
}

#[mp::task]
fn sleep_for_ever() {
    loop {
        std::thread::park();
    }
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let me = current_process();
    println!("I am \"{}\", and my parent is {:?}", me.name, parent_process());

    let child = Process::new(introduce, ("Bob",)).name("guest").start()?;
    let pid = child.pid();
    let (own, parent, name) = child.join()?;
    println!("the child is {}: {}", name, own == pid && parent == Some(me.pid));

    let child = mp::spawn(sleep_for_ever, ())?;
    let names: Vec<_> = mp::active_children().into_iter().map(|child| child.name).collect();
    println!("alive: {}, children: {names:?}, exit status: {:?}", child.is_alive(), child.exit_status());
    child.terminate()?;
    let status = child.wait()?;
    println!("alive: {}, exit status: {status}", child.is_alive());
    println!("code {:?}, signal {:?}, success {}", status.code(), status.signal_name(), status.success());
    Ok(())
}
