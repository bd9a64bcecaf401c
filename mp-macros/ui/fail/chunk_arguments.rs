use mp::shm::{ChunkMut, Shared, SharedVec};

#[mp::task]
fn blur(rows: ChunkMut<'_, f32>, image: Shared<[f32]>, width: usize) {
    let _ = (rows, image, width);
}

fn main() {
    let pool = mp::Pool::default();
    let mut rows = SharedVec::<f32>::zeroed(1).unwrap();
    let image = Shared::from_slice(&[1.0_f32]).unwrap();
    let _ = pool.chunks_mut(blur, &mut rows, 1);
    let _ = pool.chunks_mut_with(blur, &mut rows, 1, (&image, "3"));
    let _ = pool.chunks_mut_with(blur, &mut rows, 1, (&image,));
    let _ = pool.chunks_mut_with(blur, &mut rows, 1, &image);
    let mut bytes = SharedVec::<u8>::zeroed(1).unwrap();
    let _ = pool.chunks_mut_with(blur, &mut bytes, 1, (&image, 3));
}
