// Go's gorilla/websocket, at the other end of wsolo: see ../README.md for what each side does.
//
//	peer connect URL     as client of an echo server
//	peer serve           as server; its client sends everything back
//	peer gorilla|coder deflate-connect|deflate-serve kept|unkept [URL]     the same with compression
package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const limit = 20 * time.Second // for any answer

// The buffer is what makes this library break a message into frames.
const buffer = 16384

var pieces = []byte("a" + strings.Repeat("é", 19999) + "b")

func pattern(length int) []byte {
	data := make([]byte, length)
	for at := range data {
		data[at] = byte(at)
	}
	return data
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// peer remembers the last PONG, which the library hands over while it reads messages.
type peer struct {
	*websocket.Conn
	pong string
}

func newPeer(connection *websocket.Conn) *peer {
	made := &peer{Conn: connection}
	made.SetPongHandler(func(payload string) error {
		made.pong = payload
		return nil
	})
	check(made.SetReadDeadline(time.Now().Add(limit)))
	return made
}

func verdict(holds bool, yes, no string) string {
	if holds {
		return yes
	}
	return no
}

func (p *peer) receives(kind int, wanted []byte) string {
	got, data, err := p.ReadMessage()
	check(err)
	return verdict(got == kind && bytes.Equal(data, wanted), "the same", "ANOTHER")
}

func (p *peer) echoed(what string, kind int, message []byte) {
	check(p.WriteMessage(kind, message))
	fmt.Printf("%s of %d bytes: %s\n", what, len(message), p.receives(kind, message))
}

func (p *peer) ping(payload string) {
	check(p.WriteControl(websocket.PingMessage, []byte(payload), time.Now().Add(limit)))
}

func (p *peer) inFragments() {
	writer, err := p.NextWriter(websocket.TextMessage)
	check(err)
	_, err = writer.Write(pieces[:20000])
	check(err)
	p.ping("between")
	_, err = writer.Write(pieces[20000:])
	check(err)
	check(writer.Close())
	fmt.Printf("text of %d bytes in 3 fragments: %s\n", len(pieces), p.receives(websocket.TextMessage, pieces))
	fmt.Println("PING between the fragments:", verdict(p.pong == "between", "answered", "LOST"))
}

func codeOf(err error) int {
	closed, is := err.(*websocket.CloseError)
	if !is {
		log.Fatal("no Close: ", err)
	}
	return closed.Code
}

func (p *peer) closeCode() int {
	_, _, err := p.ReadMessage()
	return codeOf(err)
}

// Everything once, and a Close from this side.
func (p *peer) exchange() {
	p.echoed("text", websocket.TextMessage, []byte("Grüße, 世界"))
	p.echoed("text", websocket.TextMessage, nil)
	p.echoed("binary", websocket.BinaryMessage, pattern(256))
	for _, length := range []int{1 << 16, 1 << 20} {
		p.echoed("text", websocket.TextMessage, []byte(strings.Repeat("é", length/2)))
		p.echoed("binary", websocket.BinaryMessage, pattern(length))
	}
	p.inFragments()
	long := strings.Repeat("p", 125)
	p.ping(long)
	check(p.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "done"), time.Now().Add(limit)))
	code := p.closeCode()
	fmt.Println("PING of 125 bytes:", verdict(p.pong == long, "answered", "LOST"))
	fmt.Println("Close 1000: answered with", code)
}

// A Close from the other side.
func (p *peer) waitForClose() {
	p.echoed("text", websocket.TextMessage, []byte("still here"))
	fmt.Println("closed with", p.closeCode())
}

// Everything, until the other side closes.
func (p *peer) sendBack() {
	for {
		kind, message, err := p.ReadMessage()
		if err != nil {
			fmt.Println("closed with", codeOf(err))
			return
		}
		check(p.WriteMessage(kind, message))
		fmt.Printf("text of %d bytes: sent back\n", len(message))
	}
}

func actAsClient(url string) {
	dialer := websocket.Dialer{WriteBufferSize: buffer, HandshakeTimeout: limit}
	for _, act := range []func(*peer){(*peer).exchange, (*peer).waitForClose} {
		connection, _, err := dialer.Dial(url, nil)
		check(err)
		act(newPeer(connection))
		check(connection.Close())
	}
}

func actAsServer() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println("listening on", listener.Addr())
	upgrader := websocket.Upgrader{WriteBufferSize: buffer}
	acts := make(chan func(*peer), 2)
	acts <- (*peer).exchange
	acts <- (*peer).sendBack
	done := make(chan bool)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection, err := upgrader.Upgrade(w, r, nil)
		check(err)
		(<-acts)(newPeer(connection))
		check(connection.Close())
		done <- true
	}))
	<-done
	<-done
}

func main() {
	switch os.Args[1] {
	case "connect":
		actAsClient(os.Args[2])
	case "serve":
		actAsServer()
	default:
		actCompressed(os.Args[1], os.Args[2], os.Args[3:])
	}
}
