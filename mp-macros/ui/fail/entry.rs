#[mp::entry]
fn start() {}

#[mp::entry]
struct Main;

mod with_parameters {
    #[mp::entry(runtime = "tokio")]
    fn main(arguments: Vec<String>) {
        drop(arguments);
    }
}

#[mp::entry]
async fn main() {}
