package cloudflaresim

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/miekg/dns"
)

// The zones' name servers and their addresses.
const (
	nameserverZone = "ns.cloudflare.com"
	glue1, glue2   = "203.0.113.2", "203.0.113.3"
)

// Nameservers are the names of the servers that every zone is delegated to.
// Their addresses are 203.0.113.2 and 203.0.113.3.
func Nameservers() []string { return []string{"ada." + nameserverZone, "bob." + nameserverZone} }

// Manner is how a name server treats questions.
type Manner int32

const (
	Answering Manner = iota
	Refusing         // answers REFUSED
	Failing          // answers SERVFAIL
	Silent           // does not answer
)

// Nameserver is a DNS server on loopback, UDP and TCP on the same port.
type Nameserver struct {
	addr   string
	manner atomic.Int32
	udp    *dns.Server
	tcp    *dns.Server
	done   sync.WaitGroup
	close  sync.Once
	err    error
}

// Addr is where it listens: "127.0.0.1:41234".
func (n *Nameserver) Addr() string { return n.addr }

// Behave changes how it treats questions from now on.
func (n *Nameserver) Behave(m Manner) { n.manner.Store(int32(m)) }

// Close stops it.
func (n *Nameserver) Close() error {
	n.close.Do(func() {
		n.err = n.udp.Shutdown()
		if err := n.tcp.Shutdown(); n.err == nil {
			n.err = err
		}
		n.done.Wait()
	})
	return n.err
}

// ListenDNS starts an authoritative server for every zone of the account. A
// zone has two; start two to let one of them fail.
func (s *Sim) ListenDNS() (*Nameserver, error) { return listen(s.reply) }

// Listen starts a name server for zones that are none of the account's.
func Listen(reply func(q *dns.Msg) *dns.Msg) (*Nameserver, error) { return listen(reply) }

// listen starts a server that asks reply for every answer.
func listen(reply func(q *dns.Msg) *dns.Msg) (*Nameserver, error) {
	packets, stream, err := samePort()
	if err != nil {
		return nil, fmt.Errorf("listen for DNS: %w", err)
	}
	n := &Nameserver{addr: packets.LocalAddr().String()}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { n.serve(w, q, reply) })
	n.udp = &dns.Server{PacketConn: packets, Handler: handler}
	n.tcp = &dns.Server{Listener: stream, Handler: handler}
	failed := make(chan error, 2)
	for _, server := range []*dns.Server{n.udp, n.tcp} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		n.done.Add(1)
		go func() {
			defer n.done.Done()
			failed <- server.ActivateAndServe()
		}()
		select {
		case <-started:
		case err := <-failed:
			return nil, errors.Join(fmt.Errorf("listen for DNS: %w", err), packets.Close(), stream.Close())
		}
	}
	return n, nil
}

// samePort finds a loopback port that is free for UDP and TCP.
func samePort() (net.PacketConn, net.Listener, error) {
	var last error
	for range 20 {
		stream, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		packets, err := net.ListenPacket("udp", stream.Addr().String())
		if err == nil {
			return packets, stream, nil
		}
		last = err
		if err := stream.Close(); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, last
}

func (n *Nameserver) serve(w dns.ResponseWriter, q *dns.Msg, reply func(q *dns.Msg) *dns.Msg) {
	var m *dns.Msg
	switch Manner(n.manner.Load()) {
	case Silent:
		return
	case Refusing:
		m = new(dns.Msg).SetRcode(q, dns.RcodeRefused)
	case Failing:
		m = new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	default:
		if len(q.Question) != 1 || q.Opcode != dns.OpcodeQuery {
			m = new(dns.Msg).SetRcode(q, dns.RcodeFormatError)
		} else {
			m = reply(q)
		}
	}
	size := dns.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		size = int(opt.UDPSize())
		m.SetEdns0(1232, false)
	}
	if _, packet := w.RemoteAddr().(*net.UDPAddr); packet {
		m.Truncate(size)
	} else {
		m.Truncate(dns.MaxMsgSize)
	}
	// The asker may be gone; it asks again if it is not.
	_ = w.WriteMsg(m)
}
