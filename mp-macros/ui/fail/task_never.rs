#[mp::task]
fn serve(port: u16) -> ! {
    loop {
        std::thread::park();
        let _ = port;
    }
}

fn main() {}
