//! Sockets of a ring against plain ones at their other end.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use tokio::runtime::Builder;

use super::*;

/// Runs `test` as a worker does, with a ring. A kernel that has none, or forbids it, has nothing to be tested.
fn with_a_ring(test: impl AsyncFnOnce()) {
    if let Err(error) = probe() {
        eprintln!("skipped: io_uring cannot be had: {error}");
        return;
    }
    let runtime = Builder::new_current_thread().enable_all().on_thread_park(before_park).build().unwrap();
    runtime.block_on(async {
        let _bell = install().unwrap();
        tokio::time::timeout(Duration::from_secs(60), test()).await.expect("it hangs");
        let left = with(|ring| Ok(ring.operations.are_under_way()));
        // Cancelled operations end with the next turn or two.
        if left.unwrap() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!with(|ring| Ok(ring.operations.are_under_way())).unwrap(), "an operation was lost");
    });
    RING.set(None);
}

fn pair() -> (RingSocket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    near.set_nonblocking(true).unwrap();
    near.set_nodelay(true).unwrap();
    let (far, _) = listener.accept().unwrap();
    (RingSocket::new(near), far)
}

async fn read(socket: &mut RingSocket, at_most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; at_most];
    let n = poll_fn(|cx| socket.poll_read(cx, &mut bytes)).await?;
    bytes.truncate(n);
    Ok(bytes)
}

async fn read_exactly(socket: &mut RingSocket, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let part = read(socket, count - all.len()).await.unwrap();
        assert!(!part.is_empty(), "the end after {} bytes", all.len());
        all.extend(part);
    }
    all
}

async fn write(socket: &mut RingSocket, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = poll_fn(|cx| socket.poll_write(cx, bytes)).await?;
        bytes = &bytes[n..];
    }
    Ok(())
}

/// Polls a read once, so that a receive is under way.
async fn begin_to_read(socket: &mut RingSocket) {
    let begun = poll_fn(|cx| Poll::Ready(socket.poll_read(cx, &mut [0; 16]).is_pending())).await;
    assert!(begun, "there was something to read");
}

fn numbers(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

#[test]
fn bytes_of_every_length_come_back_in_their_order() {
    with_a_ring(async || {
        let (mut near, mut far) = pair();
        let echo = std::thread::spawn(move || {
            let mut chunk = [0; 3000];
            while let Ok(n @ 1..) = far.read(&mut chunk) {
                far.write_all(&chunk[..n]).unwrap();
            }
        });
        for len in [1, 2, 4095, 4096, 4097, 8192, 20_000, 1] {
            let bytes = numbers(len);
            write(&mut near, &bytes).await.unwrap();
            assert!(read_exactly(&mut near, len).await == bytes, "{len} bytes");
        }
        // Short writes that nobody waits for in between.
        for byte in 0..100 {
            write(&mut near, &[byte]).await.unwrap();
        }
        assert_eq!(read_exactly(&mut near, 100).await, (0..100).collect::<Vec<u8>>());
        drop(near);
        echo.join().unwrap();
    });
}

#[test]
fn who_takes_less_than_has_come_gets_the_rest_later() {
    with_a_ring(async || {
        let (mut near, mut far) = pair();
        far.write_all(&numbers(100)).unwrap();
        assert_eq!(read(&mut near, 30).await.unwrap(), numbers(100)[..30]);
        assert!(!near.is_at_rest() && !near.is_quiet(), "seventy bytes are unread");
        assert_eq!(read_exactly(&mut near, 70).await, numbers(100)[30..]);
        assert!(near.is_at_rest() && near.is_quiet());
    });
}

#[test]
fn a_peer_that_does_not_read_holds_the_writer_up() {
    with_a_ring(async || {
        let (mut near, mut far) = pair();
        let bytes = numbers(32 << 20);
        let mut written = 0;
        loop {
            let part = &bytes[written..bytes.len().min(written + 16_384)];
            match poll_fn(|cx| Poll::Ready(near.poll_write(cx, part))).await {
                Poll::Ready(n) => written += n.unwrap(),
                Poll::Pending => break,
            }
        }
        assert!(written < bytes.len(), "all of it went somewhere");
        let total = bytes.len();
        let reader = std::thread::spawn(move || {
            let mut all = vec![0; total];
            far.read_exact(&mut all).map(|()| all)
        });
        write(&mut near, &bytes[written..]).await.unwrap();
        assert!(reader.join().unwrap().unwrap() == bytes);
    });
}

#[test]
fn what_was_written_arrives_before_the_end() {
    with_a_ring(async || {
        let (mut near, mut far) = pair();
        write(&mut near, b"error, and goodbye").await.unwrap();
        drop(near);
        let mut all = String::new();
        let reader = tokio::task::spawn_blocking(move || far.read_to_string(&mut all).map(|_| all));
        assert_eq!(reader.await.unwrap().unwrap(), "error, and goodbye");
    });
}

#[test]
fn a_socket_that_is_dropped_while_it_receives_leaves_nothing_behind() {
    with_a_ring(async || {
        let (mut witness, mut far_witness) = pair();
        // More often than there are buffers, with and without something in them.
        for round in 0..600_u32 {
            let (mut near, mut far) = pair();
            begin_to_read(&mut near).await;
            if round % 3 > 0 {
                far.write_all(&round.to_le_bytes()).unwrap();
            }
            if round % 3 > 1 {
                tokio::task::yield_now().await;
            }
            if round % 50 == 0 {
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
            drop(near);
            // The number of the dropped socket may be the next one's: what comes there is its own.
            far_witness.write_all(&round.to_le_bytes()).unwrap();
            assert_eq!(read_exactly(&mut witness, 4).await, round.to_le_bytes());
            let end = tokio::task::spawn_blocking(move || far.read(&mut [0; 8]));
            assert!(matches!(end.await.unwrap(), Ok(0) | Err(_)), "it was not closed");
        }
    });
}

#[test]
fn more_sockets_than_buffers_receive_at_once() {
    with_a_ring(async || {
        let mut pairs: Vec<_> = (0..300).map(|_| pair()).collect();
        for (near, _) in &mut pairs {
            begin_to_read(near).await;
        }
        for (number, (_, far)) in pairs.iter_mut().enumerate() {
            far.write_all(&[number as u8; 100]).unwrap();
        }
        for (number, (near, _)) in pairs.iter_mut().enumerate() {
            assert_eq!(read_exactly(near, 100).await, [number as u8; 100]);
        }
    });
}

#[test]
fn only_a_connection_at_rest_is_quiet() {
    with_a_ring(async || {
        let (mut near, mut far) = pair();
        assert!(near.is_at_rest() && near.is_quiet());
        far.write_all(b"!").unwrap();
        assert!(!near.is_quiet(), "something is to be read");
        assert_eq!(read(&mut near, 10).await.unwrap(), b"!");
        assert!(near.is_quiet());
        begin_to_read(&mut near).await;
        assert!(!near.is_at_rest() && !near.is_quiet(), "a receive is under way");
        far.write_all(b"!").unwrap();
        assert_eq!(read(&mut near, 10).await.unwrap(), b"!");
        drop(far);
        assert_eq!(read(&mut near, 10).await.unwrap(), b"", "the end");
        assert!(near.is_at_rest() && !near.is_quiet(), "it is closed");
    });
}

#[test]
fn a_broken_connection_tells_who_reads_and_who_writes() {
    with_a_ring(async || {
        let (mut near, far) = pair();
        write(&mut near, b"unread").await.unwrap();
        // Until it has been sent.
        while !near.is_at_rest() {
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Closed with something unread: a reset.
        drop(far);
        assert!(read(&mut near, 10).await.is_err());
        let mut failed = false;
        for _ in 0..3 {
            failed |= write(&mut near, b"more").await.is_err();
        }
        // The ring takes a write before the kernel has refused it; the next one tells.
        failed |= write(&mut near, b"more").await.is_err();
        assert!(failed);
    });
}

#[test]
fn another_thread_wakes_a_worker_that_waits() {
    with_a_ring(async || {
        for pause_us in [0, 50, 150, 5000] {
            let (mut near, mut far) = pair();
            far.write_all(b"!").unwrap();
            assert_eq!(read(&mut near, 1).await.unwrap(), b"!");
            begin_to_read(&mut near).await;
            let (wake, woken) = tokio::sync::oneshot::channel();
            let other = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_micros(pause_us));
                wake.send(()).unwrap();
            });
            woken.await.unwrap();
            other.join().unwrap();
        }
    });
}

#[test]
fn an_operation_means_nothing_to_another_ring() {
    with_a_ring(async || {
        let (mut near, mut far) = pair();
        begin_to_read(&mut near).await;
        let operation = near.receive.take().unwrap();
        std::thread::scope(|scope| {
            let outcome = scope.spawn(|| {
                RING.set(Some(Ring {
                    kernel: Kernel::new().unwrap(),
                    operations: Operations::new(),
                    lingers: false,
                }));
                let polled = poll_received(
                    &operation,
                    &Context::from_waker(Waker::noop()),
                    &mut [0; 4],
                    &mut Vec::new(),
                );
                RING.set(None);
                matches!(polled, Poll::Ready(Err(_)))
            });
            assert!(outcome.join().unwrap());
        });
        near.receive = Some(operation);
        far.write_all(b"!").unwrap();
        assert_eq!(read(&mut near, 1).await.unwrap(), b"!");
    });
}
