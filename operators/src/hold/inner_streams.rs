//! Streams inside of a node: what `switch_map` and `flat_map_stream` share.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures_core::Stream;
use hashbrown::HashMap;

use crate::engine::{Cx, Loss, Lost, NodeId, Pledge, Push, TURN, Tail, Token};
use crate::flow::InGraph;

/// Elements taken of one stream before the next has its turn.
const QUANTUM: usize = 32;

/// Streams that are open, each with the token of the element that it was made of. Only those are
/// polled that have something, one after another, so that none starves the others.
pub(super) struct InnerStreams<S> {
    open: HashMap<u64, Inner<S>>,
    opened: u64,
    /// Who is to be polled, in this order.
    rung: Arc<Mutex<VecDeque<u64>>>,
}

struct Inner<S> {
    stream: Pin<Box<S>>,
    pledge: Pledge,
    bell: Arc<Bell>,
}

/// Wakes one stream: what it gets as its waker.
struct Bell {
    stream: u64,
    /// Whether it stands in the queue already.
    queued: AtomicBool,
    rung: Arc<Mutex<VecDeque<u64>>>,
    node: Waker,
}

impl Bell {
    fn ring(&self) {
        if !self.queued.swap(true, Ordering::AcqRel)
            && let Ok(mut rung) = self.rung.lock()
        {
            rung.push_back(self.stream);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
        self.node.wake_by_ref();
    }
}

/// What a stream's turn came to.
enum Took {
    /// So many elements; more may be ready.
    Some(usize),
    /// Nothing more until it wakes.
    All,
    Ended,
}

impl<S> InnerStreams<S>
where
    S: Stream<Item: InGraph> + InGraph,
{
    pub(super) fn new() -> Self {
        InnerStreams {
            open: HashMap::new(),
            opened: 0,
            rung: Arc::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// A stream that was made of the element of `token`, in the node that `id` names.
    pub(super) fn open(&mut self, stream: S, token: Token, id: NodeId, cx: &mut Cx) {
        self.opened += 1;
        let bell = Arc::new(Bell {
            stream: self.opened,
            queued: AtomicBool::new(false),
            rung: self.rung.clone(),
            node: cx.waker(id),
        });
        bell.ring();
        let inner = Inner {
            stream: Box::pin(stream),
            pledge: Pledge::new(token),
            bell,
        };
        self.open.insert(self.opened, inner);
        cx.wake(id);
    }

    /// Drops all streams, which others take the place of; their elements are done with that.
    pub(super) fn supersede(&mut self, id: NodeId, cx: &mut Cx) {
        self.drop_all(id, Loss::Superseded, cx, drop);
    }

    /// A failure has stopped the graph, which takes nothing any more.
    pub(super) fn stop(&mut self, id: NodeId, cx: &mut Cx) {
        self.drop_all(id, Loss::Unheard, cx, |token| token.fail(Lost::Discarded));
    }

    fn drop_all(&mut self, id: NodeId, loss: Loss, cx: &mut Cx, done: impl Fn(Token)) {
        let count = self.open.len();
        if count > 0 {
            cx.lose(id, loss, count);
            for (_, inner) in self.open.drain() {
                drop(inner.stream);
                done(inner.pledge.redeem());
            }
            // Nobody else would, until the driver comes by.
            if let Ok(mut rung) = self.rung.lock() {
                rung.clear();
            }
        }
    }

    /// Passes on what the streams have ready, until somebody downstream is full. Returns whether
    /// there may be more at once.
    pub(super) fn poll(&mut self, next: &mut Tail<S::Item>, id: NodeId, cx: &mut Cx) -> bool {
        let mut left = TURN;
        while left > 0 {
            if cx.gated(id) || cx.is_stopped() {
                return false;
            }
            let Some(number) = self.rung.lock().ok().and_then(|mut rung| rung.pop_front()) else {
                return false;
            };
            // Who was dropped meanwhile may still have been woken.
            let Some(inner) = self.open.get_mut(&number) else {
                continue;
            };
            match inner.take(next, id, cx) {
                // That it was polled counts too: one may wake itself again and again.
                Took::All => left -= 1,
                Took::Some(count) => {
                    inner.bell.ring();
                    left = left.saturating_sub(count.max(1));
                }
                Took::Ended => {
                    left -= 1;
                    if let Some(inner) = self.open.remove(&number) {
                        drop(inner.pledge.redeem());
                    }
                }
            }
        }
        true
    }
}

impl<S: Stream<Item: InGraph>> Inner<S> {
    fn take(&mut self, next: &mut Tail<S::Item>, id: NodeId, cx: &mut Cx) -> Took {
        self.bell.queued.store(false, Ordering::Release);
        let waker = Waker::from(self.bell.clone());
        let mut task = Context::from_waker(&waker);
        for count in 0..QUANTUM {
            if cx.gated(id) || cx.is_stopped() {
                return Took::Some(count);
            }
            match self.stream.as_mut().poll_next(&mut task) {
                Poll::Ready(Some(item)) => {
                    let token = self.pledge.token().clone();
                    cx.with_token(token, |cx| next.push(item, cx));
                }
                Poll::Ready(None) => return Took::Ended,
                Poll::Pending => return Took::All,
            }
        }
        Took::Some(QUANTUM)
    }
}
