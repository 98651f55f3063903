// SPDX-License-Identifier: GPL-2.0

//! As much of HTTP as Prometheus needs: a few clients at a time, each with an end to its size and its time.

use crate::extack;
use crate::output;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a client may take for all of it, and how many there may be.
const TIME_MAX: Duration = Duration::from_secs(5);
const CLIENTS_MAX: usize = 16;
const HEAD_MAX: usize = 8 << 10;

/// What reads that which is served, or says why it cannot.
type Source = fn() -> Result<String, String>;

/// Serves it until the process ends.
pub fn serve(addr: SocketAddr, read: Source) -> Result<(), String> {
    let failed = |why| format!("cannot listen on {addr}: {}", extack::errno_text(why));
    let listener = TcpListener::bind(addr).map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    output::complain(&format!("serving http://{addr}/metrics"));
    // Held once here, and once for each client.
    let clients = Arc::new(());
    loop {
        match listener.accept() {
            // Closed at once: nobody keeps the others waiting, or takes more room than there is.
            Ok(_) if Arc::strong_count(&clients) > CLIENTS_MAX => {}
            Ok((client, _)) => attend(client, read, clients.clone()),
            Err(why) if why.kind() == ErrorKind::ConnectionAborted => {}
            // Out of files or memory; that may pass.
            Err(_) => thread::sleep(Duration::from_secs(1)),
        }
    }
}

/// A client that goes away is no concern of the others. Neither is one that there is no thread for.
fn attend(client: TcpStream, read: Source, counted: Arc<()>) {
    let _ = thread::Builder::new().spawn(move || {
        let _ = exchange(client, read, Instant::now() + TIME_MAX);
        drop(counted);
    });
}

fn exchange(mut client: TcpStream, read: Source, end: Instant) -> io::Result<()> {
    let head = receive(&mut client, end)?;
    let response = match &head {
        Ok(head) => respond(head, read),
        Err(status) => response(status, "", &format!("{status}\n"), true),
    };
    send(&mut client, &response, end)?;
    client.shutdown(Shutdown::Write)?;
    // What is left unread would make the kernel reset the connection, and the answer would be lost.
    let (mut rest, mut left) = ([0; 1024], 64);
    while left > 0 && receive_some(&mut client, &mut rest, end)? > 0 {
        left -= 1;
    }
    Ok(())
}

/// Sends all of it, or at the end no more than the kernel takes at once.
fn send(client: &mut TcpStream, mut bytes: &[u8], end: Instant) -> io::Result<()> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        client.set_write_timeout(Some(left.max(Duration::from_millis(1))))?;
        let sent = client.write(bytes)?;
        bytes = bytes.get(sent..).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        if sent == 0 || left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}

/// The request without its body, or the status that it deserves.
fn receive(client: &mut TcpStream, end: Instant) -> io::Result<Result<String, &'static str>> {
    let mut head = Vec::new();
    let mut some = [0; 1024];
    loop {
        let length = match receive_some(client, &mut some, end) {
            Err(why) if why.kind() == ErrorKind::TimedOut => return Ok(Err("408 Request Timeout")),
            length => length?,
        };
        if length == 0 {
            return Ok(Err("400 Bad Request"));
        }
        head.extend(some.get(..length).unwrap_or_default());
        if let Some(at) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            head.truncate(at);
            return Ok(String::from_utf8(head).map_err(|_| "400 Bad Request"));
        }
        if head.len() >= HEAD_MAX {
            return Ok(Err("431 Request Header Fields Too Large"));
        }
    }
}

fn receive_some(client: &mut TcpStream, bytes: &mut [u8], end: Instant) -> io::Result<usize> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    client.set_read_timeout(Some(left))?;
    client.read(bytes).map_err(|why| match why.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => why,
    })
}

pub fn respond(head: &str, read: Source) -> Vec<u8> {
    let line = head.lines().next().unwrap_or_default();
    let words: Vec<_> = line.split(' ').collect();
    let [method, target, version] = words[..] else {
        return response("400 Bad Request", "", "400 Bad Request\n", true);
    };
    let body = method != "HEAD";
    let path = target.split('?').next().unwrap_or_default();
    if !version.starts_with("HTTP/1.") {
        return response(
            "505 HTTP Version Not Supported",
            "",
            "HTTP/1.1 only\n",
            body,
        );
    }
    if !["GET", "HEAD"].contains(&method) {
        let allow = "Allow: GET, HEAD\r\n";
        return response("405 Method Not Allowed", allow, "GET only\n", body);
    }
    match path {
        "/metrics" => match read() {
            Ok(text) => response("200 OK", "", &text, body),
            Err(why) => response("503 Service Unavailable", "", &format!("{why}\n"), body),
        },
        "/" => response("200 OK", "", "mwb: see /metrics\n", body),
        _ => response("404 Not Found", "", "see /metrics\n", body),
    }
}

fn response(status: &str, more: &str, text: &str, body: bool) -> Vec<u8> {
    let length = text.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {length}\r\n{more}Connection: close\r\n\r\n"
    );
    (head + if body { text } else { "" }).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client gets for these bytes.
    fn answer(request: &[u8], read: Source) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut sender = client.try_clone().unwrap();
        let request = request.to_vec();
        let sending = std::thread::spawn(move || {
            // It may be cut short.
            let _ = sender.write_all(&request);
            let _ = sender.shutdown(Shutdown::Write);
        });
        let end = Instant::now() + TIME_MAX;
        exchange(listener.accept().unwrap().0, read, end).unwrap();
        sending.join().unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }

    fn ok() -> Result<String, String> {
        Ok("mwb_x 1\n".into())
    }

    #[test]
    fn serves_metrics() {
        let expected = "HTTP/1.1 200 OK\r\n\
            Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
            Content-Length: 8\r\nConnection: close\r\n\r\n";
        let whole = format!("{expected}mwb_x 1\n");
        let get = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n";
        assert_eq!(answer(get, ok), whole);
        assert_eq!(answer(b"GET /metrics?a=b HTTP/1.0\r\n\r\n", ok), whole);
        assert_eq!(answer(b"HEAD /metrics HTTP/1.1\r\n\r\n", ok), expected);
    }

    #[test]
    fn says_what_is_wrong() {
        for (request, status) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "200"),
            (b"GET /other HTTP/1.1\r\n\r\n", "404"),
            (b"POST /metrics HTTP/1.1\r\n\r\nbody", "405"),
            (b"GET /metrics HTTP/2\r\n\r\n", "505"),
            (b"GET /metrics\r\n\r\n", "400"),
            (b"\r\n\r\n", "400"),
            (b"GET /metrics HTTP/1.1\r\n", "400"),
            (b"GET /\xff HTTP/1.1\r\n\r\n", "400"),
            (b"", "400"),
        ] {
            let answer = answer(request, ok);
            assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
        }
        let why = || Err("the kernel has no mwb: modprobe mwb".into());
        let answer = answer(b"GET /metrics HTTP/1.1\r\n\r\n", why);
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("modprobe mwb\n"));
    }

    #[test]
    fn takes_no_more_than_a_head() {
        let answer = answer(&[b'x'; 3 * HEAD_MAX], ok);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    #[test]
    fn waits_no_longer_than_it_says() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut served = listener.accept().unwrap().0;
        let end = Instant::now() + Duration::from_millis(50);
        let head = receive(&mut served, end).unwrap();
        assert_eq!(head, Err("408 Request Timeout"));
        assert!(Instant::now() >= end);
    }

    /// Not for each part that a client takes, but for all of it.
    #[test]
    fn waits_no_longer_for_one_who_does_not_read() {
        const SIZE: usize = 32 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        let served = listener.accept().unwrap().0;
        let reading = thread::spawn(move || {
            let (mut part, mut length) = (vec![0; 256 << 10], 0);
            while let Ok(some @ 1..) = client.read(&mut part) {
                length += some;
                thread::sleep(Duration::from_millis(20));
            }
            length
        });
        let end = Instant::now() + Duration::from_secs(1);
        let slow = exchange(served, || Ok("x".repeat(SIZE)), end);
        assert!(slow.is_err() && Instant::now() >= end);
        assert!(reading.join().unwrap() < SIZE);
    }
}
