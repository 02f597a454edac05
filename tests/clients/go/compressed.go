package main

// With compression: gorilla/websocket, which never keeps what earlier messages said, and coder/websocket, which can.

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// The text that is sent three times has its own place in the noise, which nothing near before it has.
var again = noise(2000)[1000:]

// noise is text that resembles itself nowhere within 32 KiB.
func noise(length int) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz012345"
	made := make([]byte, length)
	for at, state := 0, 1; at < length; at++ {
		state = (state*75 + 74) % 65537
		made[at] = letters[state%32]
	}
	return made
}

// exchangeCompressed sends every size both ways, and the same text three times.
func exchangeCompressed(echoed func(what string, isText bool, message []byte)) {
	for _, length := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		echoed("text", true, noise(length))
		echoed("binary", false, noise(length))
	}
	for round := 0; round < 3; round++ {
		echoed("text", true, again)
	}
}

func exchangeByGorilla(connection *gorilla.Conn) {
	p := newPeer(connection)
	exchangeCompressed(func(what string, isText bool, message []byte) {
		kind := gorilla.BinaryMessage
		if isText {
			kind = gorilla.TextMessage
		}
		p.echoed(what, kind, message)
	})
	check(p.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(1000, "done")))
	fmt.Println("Close 1000: answered with", p.closeCode())
}

func exchangeByCoder(connection *websocket.Conn) {
	within, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	connection.SetReadLimit(1 << 21)
	exchangeCompressed(func(what string, isText bool, message []byte) {
		kind := websocket.MessageBinary
		if isText {
			kind = websocket.MessageText
		}
		check(connection.Write(within, kind, message))
		got, data, err := connection.Read(within)
		check(err)
		same := verdict(got == kind && bytes.Equal(data, message), "the same", "ANOTHER")
		fmt.Printf("%s of %d bytes: %s\n", what, len(message), same)
	})
	// It answers nil for a Close that was answered in kind.
	check(connection.Close(websocket.StatusNormalClosure, "done"))
	fmt.Println("Close 1000: answered with 1000")
}

func coderMode(setting string) websocket.CompressionMode {
	if setting == "unkept" {
		return websocket.CompressionNoContextTakeover
	}
	return websocket.CompressionContextTakeover
}

func actAsCompressedClient(library, setting, url string) {
	if library == "gorilla" {
		dialer := gorilla.Dialer{HandshakeTimeout: limit, EnableCompression: true}
		connection, _, err := dialer.Dial(url, nil)
		check(err)
		exchangeByGorilla(connection)
		return
	}
	connection, _, err := websocket.Dial(context.Background(), url,
		&websocket.DialOptions{CompressionMode: coderMode(setting), CompressionThreshold: 1})
	check(err)
	exchangeByCoder(connection)
}

func actAsCompressedServer(library, setting string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println("listening on", listener.Addr())
	done := make(chan bool)
	upgrader := gorilla.Upgrader{EnableCompression: true}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if library == "gorilla" {
			connection, err := upgrader.Upgrade(w, r, nil)
			check(err)
			exchangeByGorilla(connection)
			check(connection.Close())
		} else {
			connection, err := websocket.Accept(w, r,
				&websocket.AcceptOptions{CompressionMode: coderMode(setting), CompressionThreshold: 1})
			check(err)
			exchangeByCoder(connection)
		}
		done <- true
	}))
	<-done
}

func actCompressed(library, act string, rest []string) {
	switch act {
	case "deflate-connect":
		actAsCompressedClient(library, rest[0], rest[1])
	case "deflate-serve":
		actAsCompressedServer(library, rest[0])
	default:
		log.Fatal("no such act: ", act)
	}
}
