// Go's three libraries' verdicts on heads: heads gorilla|coder|gobwas. gorilla and coder stand behind net/http, as they are
// used; gobwas reads the bytes itself. See ../README.md for the format.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	coder "github.com/coder/websocket"
	gobwas "github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
)

const patience = 300 * time.Millisecond

var subprotocols = []string{"chat", "superchat"}

// one is a listener with a single connection.
type one struct {
	accepted chan net.Conn
	done     chan struct{}
}

func (l *one) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.done:
		return nil, io.EOF
	}
}
func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func status(answer []byte) string {
	if bytes.HasPrefix(answer, []byte("HTTP/1.1 101")) {
		return "open"
	}
	words := strings.Fields(string(answer))
	if len(words) > 1 {
		return "refused:" + words[1]
	}
	return "refused:silence"
}

// answered sends the head and gives what came back.
func answered(near net.Conn, head []byte) []byte {
	near.SetDeadline(time.Now().Add(patience))
	go near.Write(head)
	answer := make([]byte, 4096)
	count, _ := near.Read(answer)
	near.Close()
	return answer[:count]
}

func byHTTP(head []byte, upgrade http.HandlerFunc) string {
	near, far := net.Pipe()
	listener := &one{make(chan net.Conn, 1), make(chan struct{})}
	listener.accepted <- far
	server := &http.Server{Handler: upgrade, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(listener)
	answer := answered(near, head)
	close(listener.done)
	server.Close()
	return status(answer)
}

func server(peer string, head []byte) string {
	switch peer {
	case "gorilla":
		upgrader := gorilla.Upgrader{Subprotocols: subprotocols, CheckOrigin: func(*http.Request) bool { return true }}
		return byHTTP(head, func(w http.ResponseWriter, r *http.Request) { upgrader.Upgrade(w, r, nil) })
	case "coder":
		return byHTTP(head, func(w http.ResponseWriter, r *http.Request) {
			coder.Accept(w, r, &coder.AcceptOptions{Subprotocols: subprotocols, InsecureSkipVerify: true})
		})
	}
	near, far := net.Pipe()
	go func() {
		far.SetDeadline(time.Now().Add(patience))
		upgrader := gobwas.Upgrader{Protocol: func(name []byte) bool { return string(name) == "chat" || string(name) == "superchat" }}
		upgrader.Upgrade(far)
		far.Close()
	}()
	return status(answered(near, head))
}

// answers plays a server: it reads the request and gives the answer, with {accept} for the request's key.
func answers(far net.Conn, answer []byte) {
	far.SetDeadline(time.Now().Add(patience))
	reader := bufio.NewReader(far)
	key := ""
	for {
		line, err := reader.ReadString('\n')
		if err != nil || line == "\r\n" {
			break
		}
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Sec-WebSocket-Key") {
			key = strings.TrimSpace(value)
		}
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	accept := base64.StdEncoding.EncodeToString(sum[:])
	far.Write(bytes.ReplaceAll(answer, []byte("{accept}"), []byte(accept)))
	far.Close()
}

func client(peer string, answer []byte) string {
	near, far := net.Pipe()
	go answers(far, answer)
	defer near.Close()
	near.SetDeadline(time.Now().Add(patience))
	target := &url.URL{Scheme: "ws", Host: "server.example.com", Path: "/chat"}
	var err error
	switch peer {
	case "gorilla":
		header := http.Header{"Sec-WebSocket-Protocol": {"chat, superchat"}}
		_, _, err = gorilla.NewClient(near, target, header, 1024, 1024)
	case "coder":
		dial := func(context.Context, string, string) (net.Conn, error) { return near, nil }
		through := &http.Client{Transport: &http.Transport{DialContext: dial}}
		within, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, _, err = coder.Dial(within, target.String(), &coder.DialOptions{HTTPClient: through, Subprotocols: subprotocols})
	default:
		dialer := gobwas.Dialer{Protocols: subprotocols}
		_, _, err = dialer.Upgrade(near, target)
	}
	if err != nil {
		return "refused:error"
	}
	return "open"
}

func main() {
	peer := os.Args[1]
	log.SetOutput(io.Discard)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		head, err := hex.DecodeString(words[2])
		if err != nil {
			os.Exit(2)
		}
		if words[1] == "server" {
			fmt.Println(words[0], server(peer, head))
		} else {
			fmt.Println(words[0], client(peer, head))
		}
	}
}
