//! scratch
use headwater_operators::prelude::*;
use std::hint::black_box;
use std::time::Instant;
#[inline(never)]
fn hand(n: u64) -> u64 {
    let mut s = 0u64;
    for x in 0..black_box(n) {
        let x = x.wrapping_add(1);
        if x & 1 == 0 {
            s = s.wrapping_add(x.wrapping_mul(3));
        }
    }
    s
}
fn main() {
    let n: u64 = 20_000_000;
    let g = Graph::new();
    let s = g.source::<u64>();
    struct A(u64);
    impl Drop for A {
        fn drop(&mut self) {
            black_box(self.0);
        }
    }
    let mut sum = A(0);
    let _ = s
        .map(|x| x.wrapping_add(1))
        .map(|x| x.wrapping_mul(3))
        .sink(move |x| {
            sum.0 = sum.0.wrapping_add(x);
        });
    for _ in 0..3 {
        let t = Instant::now();
        black_box(hand(n));
        println!("hand {:.2}", t.elapsed().as_nanos() as f64 / n as f64);
        let t = Instant::now();
        s.emit_all(0..n).unwrap();
        println!("emit_all {:.2}", t.elapsed().as_nanos() as f64 / n as f64);
        let t = Instant::now();
        {
            let mut l = s.lock();
            for i in 0..n {
                l.emit(black_box(i)).unwrap();
            }
        }
        println!("lock {:.2}", t.elapsed().as_nanos() as f64 / n as f64);
        let t = Instant::now();
        for i in 0..n {
            s.emit(black_box(i)).unwrap();
        }
        println!("emit {:.2}", t.elapsed().as_nanos() as f64 / n as f64);
        let m = std::sync::Mutex::new(0u64);
        let t = Instant::now();
        for i in 0..n {
            *m.lock().unwrap() += black_box(i);
        }
        println!("mutex {:.2}", t.elapsed().as_nanos() as f64 / n as f64);
    }
}
