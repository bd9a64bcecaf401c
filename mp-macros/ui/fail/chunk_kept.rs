use mp::shm::{ChunkMut, SharedVec};

#[mp::task]
fn keep(chunk: ChunkMut<'_, u8>) {
    std::thread::spawn(move || chunk.len());
}

#[mp::task]
fn owned(chunk: ChunkMut<'static, u8>) {
    drop(chunk);
}

fn main() {
    let mut bytes = SharedVec::zeroed(1).unwrap();
    let _ = mp::Pool::default().chunks_mut(keep, &mut bytes, 1);
}
