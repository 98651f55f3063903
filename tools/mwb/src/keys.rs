// SPDX-License-Identifier: GPL-2.0

//! The keys that are typed at a terminal. They are read by hand: crossterm asks a terminal that has gone away
//! again and again, for ever (crossterm-rs/crossterm#793).

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, stdin, IsTerminal, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

#[derive(Debug, PartialEq)]
pub enum Key {
    Quit,
    Redraw,
    /// So many lines down, or up if negative.
    Scroll(isize),
    /// Screens.
    Page(isize),
}

pub struct Keys {
    terminal: File,
    /// What was read and not yet understood.
    typed: Vec<u8>,
}

const ESC: u8 = 0x1b;
const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_L: u8 = 0x0c;

/// How long the rest of a key may take: a serial line brings its bytes one by one.
const REST: Duration = Duration::from_millis(50);
/// No key is longer.
const KEY_MAX: usize = 32;

impl Keys {
    /// Those of the terminal that crossterm sets to raw mode.
    pub fn open() -> io::Result<Self> {
        let terminal = match stdin().is_terminal() {
            true => stdin().as_fd().try_clone_to_owned()?.into(),
            false => File::open("/dev/tty")?,
        };
        Ok(Self::of(terminal))
    }

    fn of(terminal: File) -> Self {
        let typed = Vec::new();
        Self { terminal, typed }
    }

    /// The next key that means something, if one comes in time and before a signal.
    pub fn next(&mut self, time: Duration) -> io::Result<Option<Key>> {
        let end = Instant::now() + time;
        loop {
            while let Some((key, length)) = first(&self.typed) {
                self.typed.drain(..length);
                if key.is_some() {
                    return Ok(key);
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            let is_begun = !self.typed.is_empty();
            if !self.read(if is_begun { REST } else { left })? {
                // Nothing else begins with it, so this was all.
                let typed = std::mem::take(&mut self.typed);
                return Ok((typed == [ESC]).then_some(Key::Quit));
            }
        }
    }

    /// Waits for what is typed. False if there is nothing.
    fn read(&mut self, time: Duration) -> io::Result<bool> {
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        let mut terminal = [PollFd::new(&self.terminal, PollFlags::IN)];
        match poll(&mut terminal, Some(&time)) {
            Ok(0) | Err(Errno::INTR) => return Ok(false),
            ready => ready?,
        };
        let mut some = [0; 256];
        match self.terminal.read(&mut some).unwrap_or_default() {
            // Whoever goes away wants no more.
            0 => self.typed.push(CTRL_D),
            length => self.typed.extend(some.get(..length).unwrap_or_default()),
        }
        Ok(true)
    }
}

/// The first key, if it means something, and its length. None while more belongs to it.
fn first(typed: &[u8]) -> Option<(Option<Key>, usize)> {
    Some(match typed {
        [] | [ESC] | [ESC, b'O'] => return None,
        [ESC, ESC, ..] => (Some(Key::Quit), 2),
        [ESC, b'O', last, ..] => (special(&[], *last), 3),
        [ESC, b'[', rest @ ..] => {
            let end = rest.iter().position(|byte| (0x40..0x7f).contains(byte));
            match end.and_then(|end| rest.get(..=end)?.split_last()) {
                Some((last, number)) => (special(number, *last), number.len() + 3),
                None if typed.len() < KEY_MAX => return None,
                None => (None, typed.len()),
            }
        }
        // With Alt.
        [ESC, _, ..] => (None, 2),
        [key, ..] => (plain(*key), 1),
    })
}

fn plain(key: u8) -> Option<Key> {
    Some(match key {
        b'q' | b'Q' | CTRL_C | CTRL_D => Key::Quit,
        CTRL_L => Key::Redraw,
        b'k' => Key::Scroll(-1),
        b'j' => Key::Scroll(1),
        b' ' => Key::Page(1),
        _ => return None,
    })
}

/// What terminals send, each kind of them something else for the last two.
fn special(number: &[u8], last: u8) -> Option<Key> {
    Some(match (number, last) {
        (_, b'A') => Key::Scroll(-1),
        (_, b'B') => Key::Scroll(1),
        (b"5", b'~') => Key::Page(-1),
        (b"6", b'~') => Key::Page(1),
        (_, b'H') | (b"1" | b"7", b'~') => Key::Scroll(isize::MIN),
        (_, b'F') | (b"4" | b"8", b'~') => Key::Scroll(isize::MAX),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    const LONG: Duration = Duration::from_secs(60);

    fn terminal() -> (UnixStream, Keys) {
        let (user, terminal) = UnixStream::pair().unwrap();
        (user, Keys::of(OwnedFd::from(terminal).into()))
    }

    #[test]
    fn knows_its_keys() {
        for (typed, key) in [
            (&b"q"[..], Key::Quit),
            (b"\x03", Key::Quit),
            (b"\x1b\x1b", Key::Quit),
            (b"xyz\x0c", Key::Redraw),
            (b"\x1b[B", Key::Scroll(1)),
            (b"\x1bOA", Key::Scroll(-1)),
            (b"\x1b[5~", Key::Page(-1)),
            (b"\x1b[6~", Key::Page(1)),
            (b"\x1bOH", Key::Scroll(isize::MIN)),
            (b"\x1b[4~", Key::Scroll(isize::MAX)),
            // Alt, a function key and one with Shift mean nothing.
            (b"\x1bq\x1b[15~\x1b[1;2Pj", Key::Scroll(1)),
            (b"\xc3\xa4\0\xff ", Key::Page(1)),
        ] {
            let (mut user, mut keys) = terminal();
            user.write_all(typed).unwrap();
            assert_eq!(keys.next(LONG).unwrap(), Some(key), "{typed:?}");
        }
    }

    #[test]
    fn a_key_may_come_in_parts() {
        let whole = b"\x1b[6~";
        for length in 1..whole.len() {
            assert_eq!(first(&whole[..length]), None);
        }
        // Without the rest, it is Esc or nothing.
        let (mut user, mut keys) = terminal();
        user.write_all(&whole[..1]).unwrap();
        assert_eq!(keys.next(LONG).unwrap(), Some(Key::Quit));
        user.write_all(&whole[..3]).unwrap();
        assert_eq!(keys.next(LONG).unwrap(), None);
        user.write_all(b"j").unwrap();
        assert_eq!(keys.next(LONG).unwrap(), Some(Key::Scroll(1)));
        // Nor is there one of any length.
        user.write_all(b"\x1b[").unwrap();
        user.write_all(&[b'1'; 3000]).unwrap();
        user.write_all(b"~k").unwrap();
        assert_eq!(keys.next(LONG).unwrap(), Some(Key::Scroll(-1)));
    }

    #[test]
    fn waits_no_longer_than_it_says() {
        let (_user, mut keys) = terminal();
        assert_eq!(keys.next(Duration::from_millis(1)).unwrap(), None);
    }

    #[test]
    fn a_terminal_that_is_gone_is_the_end() {
        let (user, mut keys) = terminal();
        drop(user);
        for _ in 0..2 {
            assert_eq!(keys.next(LONG).unwrap(), Some(Key::Quit));
        }
    }

    #[test]
    fn anything_may_be_typed() {
        for at in 0..5 {
            for byte in 0..=u8::MAX {
                let mut typed = *b"\x1b[1;5";
                typed[at] = byte;
                for length in 0..=typed.len() {
                    if let Some((_, taken)) = first(&typed[..length]) {
                        assert!((1..=length).contains(&taken), "{typed:?}");
                    }
                }
            }
        }
    }
}
