//! scratch
use headwater_operators::prelude::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

type Callbacks = Rc<RefCell<Vec<Box<dyn FnMut(u64)>>>>;

struct A(u64);
impl Drop for A {
    fn drop(&mut self) {
        black_box(self.0);
    }
}

#[inline(never)]
fn hand(n: u64) -> u64 {
    let mut s = 0u64;
    for x in 0..n {
        let x = black_box(x);
        s = s.wrapping_add((x.wrapping_add(1)) ^ (x.wrapping_mul(3)));
    }
    s
}

#[inline(never)]
fn hand_vec(n: u64) -> u64 {
    let mut s = 0u64;
    for x in 0..black_box(n) {
        s = s.wrapping_add((x.wrapping_add(1)) ^ (x.wrapping_mul(3)));
    }
    s
}

fn main() {
    let n: u64 = 20_000_000;
    let g = Graph::new();
    let s = g.source::<u64>();
    let shared = s.map(|x| x.wrapping_add(7)).share();
    let mut sum = A(0);
    let _ = shared
        .map(|x| x.wrapping_add(1))
        .zip(shared.map(|x| x.wrapping_mul(3)))
        .sink(move |(a, b)| sum.0 = sum.0.wrapping_add(a ^ b));

    // Hand wired.
    let total = Rc::new(RefCell::new(A(0)));
    let queues = Rc::new(RefCell::new((
        VecDeque::<u64>::new(),
        VecDeque::<u64>::new(),
    )));
    let out: Rc<RefCell<Vec<Box<dyn FnMut((u64, u64))>>>> = Rc::default();
    {
        let total = total.clone();
        out.borrow_mut().push(Box::new(move |(a, b)| {
            let mut t = total.borrow_mut();
            t.0 = t.0.wrapping_add(a ^ b);
        }));
    }
    let fork: Callbacks = Rc::default();
    {
        let (q, o) = (queues.clone(), out.clone());
        fork.borrow_mut().push(Box::new(move |x| {
            let x = x.wrapping_add(1);
            let mut q = q.borrow_mut();
            q.0.push_back(x);
            if !q.1.is_empty() {
                if let (Some(a), Some(b)) = (q.0.pop_front(), q.1.pop_front()) {
                    for f in o.borrow_mut().iter_mut() {
                        f((a, b));
                    }
                }
            }
        }));
        let (q, o) = (queues.clone(), out.clone());
        fork.borrow_mut().push(Box::new(move |x| {
            let x = x.wrapping_mul(3);
            let mut q = q.borrow_mut();
            q.1.push_back(x);
            if !q.0.is_empty() {
                if let (Some(a), Some(b)) = (q.0.pop_front(), q.1.pop_front()) {
                    for f in o.borrow_mut().iter_mut() {
                        f((a, b));
                    }
                }
            }
        }));
    }
    let head: Callbacks = Rc::default();
    {
        let fork = fork.clone();
        head.borrow_mut().push(Box::new(move |x| {
            let x = x.wrapping_add(7);
            for f in fork.borrow_mut().iter_mut() {
                f(x);
            }
        }));
    }
    for _ in 0..4 {
        let per = |t: Instant| t.elapsed().as_nanos() as f64 / n as f64;
        let t = Instant::now();
        black_box(hand(n));
        let loop_one = per(t);
        let t = Instant::now();
        black_box(hand_vec(n));
        let loop_bulk = per(t);
        let t = Instant::now();
        for i in 0..n {
            for f in head.borrow_mut().iter_mut() {
                f(black_box(i));
            }
        }
        let boxed = per(t);
        let t = Instant::now();
        s.emit_all(0..n).unwrap();
        let bulk = per(t);
        let t = Instant::now();
        {
            let mut l = s.lock();
            for i in 0..n {
                l.emit(black_box(i)).unwrap();
            }
        }
        let one = per(t);
        println!(
            "loop {loop_bulk:.2} (one {loop_one:.2})  batches {bulk:.2} = {:.1}x   boxed {boxed:.2}  one by one {one:.2} = {:.2}x",
            bulk / loop_bulk,
            one / boxed
        );
    }
}
