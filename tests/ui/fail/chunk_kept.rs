use mp::shm::{ChunkMut, SharedVec};
use std::sync::Mutex;

static KEPT: Mutex<Option<ChunkMut<'static, u8>>> = Mutex::new(None);

#[mp::task]
fn keep(chunk: ChunkMut<'_, u8>) {
    *KEPT.lock().unwrap() = Some(chunk);
}

#[mp::task]
fn owned(chunk: ChunkMut<'static, u8>) {
    drop(chunk);
}

fn main() {
    let mut bytes = SharedVec::zeroed(1).unwrap();
    let _ = mp::Pool::default().chunks_mut(keep, &mut bytes, 1);
}
