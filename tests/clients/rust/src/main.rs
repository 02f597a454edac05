//! Rust's tungstenite, at the other end of wsolo: see ../README.md for what each side does.
//!
//!     peer connect URL     as client of an echo server
//!     peer serve           as server; its client sends everything back

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{accept, client, Error, Message, Result, WebSocket};

const LIMIT: Duration = Duration::from_secs(20); // for any answer

fn verdict(holds: bool, yes: &'static str, no: &'static str) -> &'static str {
    if holds {
        yes
    } else {
        no
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| at as u8).collect()
}

/// Keeps the last PONG that came between messages.
struct Peer<S> {
    socket: WebSocket<S>,
    pong: Vec<u8>,
}

impl<S: Read + Write> Peer<S> {
    fn next(&mut self) -> Result<Message> {
        loop {
            match self.socket.read()? {
                Message::Pong(payload) => self.pong = payload.to_vec(),
                other => return Ok(other),
            }
        }
    }

    fn receives(&mut self, wanted: &Message) -> Result<&'static str> {
        Ok(verdict(self.next()? == *wanted, "the same", "ANOTHER"))
    }

    fn echoed(&mut self, what: &str, message: Message) -> Result<()> {
        self.socket.send(message.clone())?;
        let same = self.receives(&message)?;
        println!("{what} of {} bytes: {same}", message.len());
        Ok(())
    }

    fn in_fragments(&mut self) -> Result<()> {
        let text = format!("a{}b", "é".repeat(19999));
        let pieces: Vec<_> = text.as_bytes().chunks(16384).collect();
        for (at, piece) in pieces.iter().enumerate() {
            let data = if at == 0 { Data::Text } else { Data::Continue };
            let frame = Frame::message(piece.to_vec(), OpCode::Data(data), at + 1 == pieces.len());
            self.socket.send(Message::Frame(frame))?;
            if at == 0 {
                self.socket.send(Message::Ping("between".into()))?;
            }
        }
        let size = text.len();
        let same = self.receives(&Message::text(text))?;
        println!("text of {size} bytes in 3 fragments: {same}");
        println!(
            "PING between the fragments: {}",
            verdict(self.pong == b"between", "answered", "LOST")
        );
        Ok(())
    }

    /// The code of a Close that came; after it the connection must end.
    fn code_of(&mut self, close: Message) -> Result<u16> {
        let code = match close {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("no Close: {other}"),
        };
        match self.next() {
            Err(Error::ConnectionClosed) => Ok(code),
            other => panic!("after Close: {other:?}"),
        }
    }

    fn close_code(&mut self) -> Result<u16> {
        let close = self.next()?;
        self.code_of(close)
    }

    /// Everything once, and a Close from this side.
    fn exchange(&mut self) -> Result<()> {
        self.echoed("text", Message::text("Grüße, 世界"))?;
        self.echoed("text", Message::text(""))?;
        self.echoed("binary", Message::binary(pattern(256)))?;
        for length in [1 << 16, 1 << 20] {
            self.echoed("text", Message::text("é".repeat(length / 2)))?;
            self.echoed("binary", Message::binary(pattern(length)))?;
        }
        self.in_fragments()?;
        let long = vec![b'p'; 125];
        self.socket.send(Message::Ping(long.clone().into()))?;
        self.socket.close(Some(CloseFrame {
            code: CloseCode::Normal,
            reason: "done".into(),
        }))?;
        let code = self.close_code()?;
        println!(
            "PING of 125 bytes: {}",
            verdict(self.pong == long, "answered", "LOST")
        );
        println!("Close 1000: answered with {code}");
        Ok(())
    }

    /// A Close from the other side.
    fn wait_for_close(&mut self) -> Result<()> {
        self.echoed("text", Message::text("still here"))?;
        println!("closed with {}", self.close_code()?);
        Ok(())
    }

    /// Everything, until the other side closes.
    fn send_back(&mut self) -> Result<()> {
        loop {
            let message = self.next()?;
            if message.is_close() {
                println!("closed with {}", self.code_of(message)?);
                return Ok(());
            }
            let size = message.len();
            self.socket.send(message)?;
            println!("text of {size} bytes: sent back");
        }
    }
}

fn peer<S>(socket: WebSocket<S>) -> Peer<S> {
    Peer {
        socket,
        pong: Vec::new(),
    }
}

fn act_as_client(url: &str) -> Result<()> {
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let open = || -> Result<_> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(peer(client(url, stream).expect("a handshake").0))
    };
    open()?.exchange()?;
    open()?.wait_for_close()
}

fn act_as_server() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    let open = || -> Result<_> {
        let stream = listener.accept()?.0;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(peer(accept(stream).expect("a handshake")))
    };
    open()?.exchange()?;
    open()?.send_back()
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments[1].as_str() {
        "connect" => act_as_client(&arguments[2]),
        _ => act_as_server(),
    }
}
