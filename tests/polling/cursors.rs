//! What was acknowledged is in the cursor, and what was not comes again.

use futures::{FutureExt, StreamExt};
use headwater::timeseries::{Cursor, CursorError, CursorFile};

use super::{Tested, come, point, polling};
use crate::world::{MINUTE, NOON, SECOND, World, ready};

#[tokio::test(start_paused = true)]
async fn the_cursor_moves_only_by_acknowledgement() -> Tested {
    let world = World::new();
    for second in 0..5 {
        world.put(point(second - 5, second));
    }
    let mut stream = polling(&world).start()?.acked();
    let control = stream.control();
    let mut items = Vec::new();
    for _ in 0..5 {
        items.push(stream.next().await.unwrap());
    }
    assert_eq!(control.cursor().len(), 0);
    let mut acks: Vec<_> = items.into_iter().map(|(_, ack)| ack).collect();
    acks.remove(3).acknowledge();
    acks.remove(0).settle(Ok(()));
    acks.remove(0).settle(Err(headwater::Lost::Failed));
    acks.remove(0).give_up();
    drop(acks);
    let cursor = control.cursor();
    assert_eq!(cursor.len(), 3);
    assert_eq!(cursor.horizon(), Some(NOON - MINUTE));
    let stats = control.stats();
    assert_eq!((stats.unacknowledged, stats.given_up), (2, 1));
    drop(stream);

    let mut again = polling(&world).resume(cursor).start()?;
    assert_eq!(come(&mut again).await, [(-4, true), (-1, false)]);
    assert_eq!(again.control().stats().unacknowledged, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_plain_stream_acknowledges_a_point_when_the_next_is_asked_for() -> Tested {
    let world = World::new();
    for second in 0..3 {
        world.put(point(second - 5, second));
    }
    let mut stream = polling(&world).start()?;
    let control = stream.control();
    stream.next().await;
    stream.next().await;
    assert_eq!(control.cursor().len(), 1);
    assert!(stream.next().now_or_never().is_some());
    assert_eq!(control.cursor().len(), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_is_asked_for_although_the_horizon_has_passed_it() -> Tested {
    let world = World::new();
    for second in 0..1000 {
        world.put_at(NOON + second * SECOND, point(second, second));
    }
    let mut stream = polling(&world).start()?.acked();
    let control = stream.control();
    let mut acks = Vec::new();
    while world.now() < NOON + 900 * SECOND {
        let (polled, ack) = stream.next().await.unwrap();
        match polled.point().millis() == NOON + 100 * SECOND {
            true => acks.push(ack),
            false => ack.acknowledge(),
        }
    }
    let cursor = control.cursor();
    assert_eq!(cursor.horizon(), Some(NOON + 100 * SECOND));
    let kept = control.stats().remembered;
    drop(stream);
    let mut again = polling(&world).resume(cursor).start()?;
    assert_eq!(come(&mut again).await[0], (100, true));
    let seen = again.control().stats().emitted;
    assert!(seen < 20, "{seen}");
    drop(again);
    // And what was remembered for it is forgotten once it is acknowledged.
    assert!(kept >= 790, "{kept}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cursor_survives_bytes_and_damage_is_noticed() -> Tested {
    let world = World::new();
    world.put(point(-3, 1).tagged([("raum", "Küche|:\\"), ("b", "")]));
    world.put(point(-2, -1.5));
    world.put(point(-2, f64::NAN));
    world.put(point(-1, "text"));
    world.put(point(0, headwater::timeseries::PointValue::Null));
    world.put(point(0, i64::MIN));
    let stream = polling(&world).start()?;
    let control = stream.control();
    let mut stream = stream;
    ready(&mut stream).await;
    let cursor = control.cursor();
    assert_eq!(cursor.len(), 6);
    let bytes = cursor.to_bytes();
    let back = Cursor::from_bytes(&bytes)?;
    assert_eq!(back, cursor);
    assert_eq!(back.to_bytes(), bytes);
    drop(stream);
    let mut again = polling(&world).resume(back).start()?;
    assert_eq!(come(&mut again).await, []);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(
                Cursor::from_bytes(&damaged).is_err(),
                "byte {at}, bit {bit}"
            );
        }
        assert!(Cursor::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(matches!(
        Cursor::from_bytes(b"{}"),
        Err(CursorError::NoCursor)
    ));
    let mut later = bytes[..bytes.len() - 4].to_vec();
    later[4] = 9;
    later.extend(crc32fast::hash(&later).to_le_bytes());
    let error = Cursor::from_bytes(&later).unwrap_err();
    assert!(matches!(error, CursorError::Version(9)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_file_keeps_the_cursor() -> Tested {
    let directory = std::env::temp_dir().join(format!("headwater-cursor-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let file = CursorFile::new(directory.join("cursor"));
    assert!(file.load()?.is_none());
    let world = World::new();
    world.put(point(-1, 1));
    world.put(point(0, 1));
    let mut stream = polling(&world).resume(file.load()?).start()?;
    come(&mut stream).await;
    file.save(&stream.control().cursor())?;
    file.save(&stream.control().cursor())?;
    drop(stream);
    let mut again = polling(&world).resume(file.load()?).start()?;
    assert_eq!(come(&mut again).await, []);
    std::fs::write(file.path(), b"HWPC damaged")?;
    let error = file.load().unwrap_err();
    assert!(matches!(error, CursorError::File { .. }), "{error}");
    let nowhere = CursorFile::new(directory.join("no/such/directory"));
    let saved = nowhere.save(&again.control().cursor());
    assert!(matches!(saved, Err(CursorError::Io { .. })));
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}
