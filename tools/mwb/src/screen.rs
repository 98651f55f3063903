// SPDX-License-Identifier: GPL-2.0

//! The whole terminal as a screen to draw on, which is a terminal again when this is dropped, or in a panic.

use crate::extack;
pub use crate::keys::Key;
use crate::keys::Keys;
use crate::terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, MoveTo, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::style;
use ratatui::crossterm::terminal::{
    disable_raw_mode, enable_raw_mode, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen,
};
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, stdout, Stdout};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    keys: Keys,
    size: (u16, u16),
    ended: Arc<AtomicBool>,
}

impl Screen {
    pub fn open() -> Result<Self, String> {
        let size = terminal::size().ok_or("stdout is no terminal")?;
        Self::start(size).map_err(failed)
    }

    fn start(size: (u16, u16)) -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, ended.clone())?;
        }
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |why| {
            restore();
            next(why);
        }));
        // Whoever has no colours is sent none; this is only about the code that takes them back.
        style::force_color_output(true);
        let keys = Keys::open()?;
        enable_raw_mode()?;
        OPEN.store(true, Ordering::Relaxed);
        let options = TerminalOptions {
            viewport: Viewport::Fixed(area(size)),
        };
        let backend = CrosstermBackend::new(stdout());
        let terminal = Terminal::with_options(backend, options).inspect_err(|_| restore())?;
        let mut screen = Self {
            terminal,
            keys,
            size,
            ended,
        };
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        screen.terminal.clear()?;
        Ok(screen)
    }

    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> Result<(), String> {
        self.try_draw(draw).map_err(failed)
    }

    fn try_draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        let size = terminal::size().unwrap_or(self.size);
        if size != self.size {
            self.size = size;
            self.terminal.resize(area(size))?;
        }
        self.terminal.draw(draw).map(drop)
    }

    pub fn redraw(&mut self) -> Result<(), String> {
        self.terminal.clear().map_err(failed)
    }

    /// The next key that means something, if one comes in time. A signal to end is one as well.
    pub fn key(&mut self, time: Duration) -> Result<Option<Key>, String> {
        let key = self.keys.next(time).map_err(failed)?;
        match self.ended.load(Ordering::Relaxed) {
            true => Ok(Some(Key::Quit)),
            false => Ok(key),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Whether there is something to restore.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Does so once, be it for a panic or for what comes after it. What can fail here has nobody left to tell.
fn restore() {
    if !OPEN.swap(false, Ordering::Relaxed) {
        return;
    }
    // On a terminal that has only one screen, the prompt comes beneath it.
    let (_, rows) = terminal::size().unwrap_or_default();
    let _ = execute!(
        stdout(),
        MoveTo(0, rows.saturating_sub(1)),
        Clear(ClearType::CurrentLine),
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}

fn area((columns, rows): (u16, u16)) -> Rect {
    Rect::new(0, 0, columns, rows)
}

fn failed(why: io::Error) -> String {
    format!("the terminal failed: {}", extack::errno_text(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_a_terminal() {
        if terminal::size().is_none() {
            assert_eq!(Screen::open().err().unwrap(), "stdout is no terminal");
        }
    }
}
