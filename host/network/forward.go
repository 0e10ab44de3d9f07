package network

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// forward opens a loopback port that leads to address by dial. Connections
// that dial cannot make are reset. It ends, with every open connection, when
// ctx does or by the function it returns, which waits until all is closed and
// may be called more than once.
func forward(ctx context.Context, address string, dial dialFunc) (string, func(), error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", nil, fmt.Errorf("forward to %s: %w", address, err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("forward to %s: %w", address, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &forwarder{address: address, dial: dial, open: map[net.Conn]bool{}}
	context.AfterFunc(ctx, func() { f.shut(listener) })
	f.busy.Add(1)
	go func() {
		defer f.busy.Done()
		f.accept(ctx, listener)
	}()
	return listener.Addr().String(), func() {
		cancel()
		f.busy.Wait()
	}, nil
}

type forwarder struct {
	address string
	dial    dialFunc
	busy    sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

func (f *forwarder) accept(ctx context.Context, listener net.Listener) {
	for {
		in, err := listener.Accept()
		if err != nil {
			return // closed
		}
		f.busy.Add(1)
		go func() {
			defer f.busy.Done()
			f.carry(ctx, in)
		}()
	}
}

// carry joins one accepted connection with one of its own to the address.
func (f *forwarder) carry(ctx context.Context, in net.Conn) {
	if !f.hold(in) {
		return
	}
	defer f.drop(in)
	out, err := f.dial(ctx, "tcp", f.address)
	if err != nil {
		if tcp, ok := in.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // the client sees a reset, as near as it gets to a refusal
		}
		return
	}
	if !f.hold(out) {
		return
	}
	defer f.drop(out)
	done := make(chan struct{})
	go func() {
		defer close(done)
		pipe(out, in)
	}()
	pipe(in, out)
	<-done
}

// pipe copies until from ends and passes the end on, so that the other
// direction may still speak.
func pipe(to, from net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err == nil && ok && half.CloseWrite() == nil {
		return
	}
	// Broken rather than ended: break both, or the other side waits for ever.
	_ = to.Close()
	_ = from.Close()
}

// hold remembers an open connection; after shut it closes it instead.
func (f *forwarder) hold(c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		_ = c.Close()
		return false
	}
	f.open[c] = true
	return true
}

func (f *forwarder) drop(c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
	_ = c.Close() // it may be closed already; nothing is left to be lost
}

func (f *forwarder) shut(listener net.Listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	_ = listener.Close()
	for c := range f.open {
		_ = c.Close()
	}
}
