package world

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// Message is what arrived in the world's inbox: a notification by webhook.
type Message struct {
	Time time.Time       `json:"time"`
	Key  string          `json:"key,omitempty"` // the Idempotency-Key header
	Body json.RawMessage `json:"body"`
}

// State is what the world holds at one moment.
type State struct {
	Hetzner  hetznersim.State                  `json:"hetzner"`
	Machines map[string]machine.State          `json:"machines"` // by server
	Records  map[string][]cloudflaresim.Record `json:"records"`  // by zone
	Fly      *flysim.State                     `json:"fly,omitempty"`
	Nodes    map[string]Node                   `json:"nodes,omitempty"` // of Postgres apps, by machine
}

// Visit is what a customer met who opened a page.
type Visit struct {
	Status  int    `json:"status"`  // 0: no answer
	Body    string `json:"body"`    // at most 1 MiB
	Address string `json:"address"` // what the name resolved to
	Error   string `json:"error,omitempty"`
}

// State looks at everything.
func (w *World) State() State {
	s := State{Hetzner: w.hetzner.State(), Machines: map[string]machine.State{}, Records: map[string][]cloudflaresim.Record{}}
	for name, server := range s.Hetzner.Servers {
		if m, err := w.rack.Machine(server.ID); err == nil { // else it is still being made
			s.Machines[name] = m.State()
		}
	}
	if w.fly != nil {
		fly := w.fly.State()
		s.Fly, s.Nodes = &fly, w.metalFly.state()
	}
	for _, zone := range w.cloudflare.Zones() {
		s.Records[zone] = w.cloudflare.Records(zone)
	}
	return s
}

// Requests returns the requests to providers so far, oldest first.
func (w *World) Requests() []Request { return w.requests.all() }

// Inbox returns the messages that arrived so far, oldest first.
func (w *World) Inbox() []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Message{}, w.inbox...)
}

// Commands returns those that came to machines by SSH, in the order in which
// they began.
func (w *World) Commands() []machine.Command {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]machine.Command{}, w.ran...)
}

func (w *World) noteCommand(c machine.Command) (ended func(machine.Command)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.ran)
	w.ran = append(w.ran, c)
	return func(c machine.Command) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ran[n] = c
	}
}

// Truth returns what the customers of a live server know to be committed.
func (w *World) Truth(server string) (machine.Truth, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if writer := w.writers[server]; writer != nil {
		return writer.Truth(), nil
	}
	return machine.Truth{}, fmt.Errorf("nobody writes to server or app %q", server)
}

// Customer opens url as a customer does: the name goes to a public resolver,
// the connection where the address leads. A failure is a Visit, no error.
func (w *World) Customer(ctx context.Context, url string) Visit {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var v Visit
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: w.trust(),
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if v.Address, err = w.lookup(ctx, host); err != nil {
				return nil, err
			}
			return w.dial(ctx, network, net.JoinHostPort(v.Address, port))
		}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		v.Error = err.Error()
		return v
	}
	r, err := client.Do(req)
	if err != nil {
		v.Error = err.Error()
		return v
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		v.Error = err.Error()
		return v
	}
	v.Status, v.Body = r.StatusCode, string(body)
	return v
}

// lookup asks the first public resolver for an address, IPv4 rather than IPv6.
func (w *World) lookup(ctx context.Context, host string) (string, error) {
	if _, err := netip.ParseAddr(host); err == nil {
		return host, nil
	}
	r := net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return w.dial(ctx, network, resolver1+":53")
	}}
	host = strings.TrimSuffix(host, ".") + "." // whole, so that no search domain is tried
	found, err := r.LookupIP(ctx, "ip4", host)
	if err != nil {
		six, again := r.LookupIP(ctx, "ip6", host)
		if again != nil {
			return "", fmt.Errorf("look up %s: %w", host, err)
		}
		found = six
	}
	return found[0].String(), nil
}

// control is the handler of the switchboard and of the control port.
func (w *World) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /route", func(rw http.ResponseWriter, r *http.Request) {
		to, err := w.Route(r.FormValue("network"), r.FormValue("address"))
		reply(rw, to, err)
	})
	mux.HandleFunc("GET /fault", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, FaultNames(), nil) })
	mux.HandleFunc("POST /fault", func(rw http.ResponseWriter, r *http.Request) {
		var f Fault
		err := json.NewDecoder(http.MaxBytesReader(rw, r.Body, bodyLimit)).Decode(&f)
		if err == nil {
			err = w.Inject(f.Name, f.Args)
		}
		reply(rw, map[string]any{}, err)
	})
	mux.HandleFunc("GET /faults", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, w.Faults(), nil) })
	mux.HandleFunc("GET /requests", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, w.Requests(), nil) })
	mux.HandleFunc("GET /state", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, w.State(), nil) })
	mux.HandleFunc("GET /descriptor", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, w.descriptor, nil) })
	mux.HandleFunc("GET /inbox", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, w.Inbox(), nil) })
	mux.HandleFunc("POST /inbox", w.receive)
	mux.HandleFunc("GET /truth", func(rw http.ResponseWriter, r *http.Request) {
		truth, err := w.Truth(r.FormValue("server"))
		reply(rw, truth, err)
	})
	mux.HandleFunc("GET /customer", func(rw http.ResponseWriter, r *http.Request) {
		reply(rw, w.Customer(r.Context(), r.FormValue("url")), nil)
	})
	mux.HandleFunc("POST /stop", func(rw http.ResponseWriter, _ *http.Request) {
		reply(rw, map[string]any{}, nil)
		w.stopOnce.Do(func() { close(w.stopped) })
	})
	return mux
}

// receive takes a notification in. One that comes again with the same key is
// kept once, as the Idempotency-Key header asks.
func (w *World) receive(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, bodyLimit))
	if err == nil && !json.Valid(body) {
		body, err = json.Marshal(string(body))
	}
	if err != nil {
		reply(rw, nil, err)
		return
	}
	m := Message{Time: w.opt.Clock.Now().UTC(), Key: r.Header.Get("Idempotency-Key"), Body: body}
	w.mu.Lock()
	known := false
	for _, old := range w.inbox {
		known = known || (m.Key != "" && old.Key == m.Key)
	}
	if !known {
		w.inbox = append(w.inbox, m)
	}
	w.mu.Unlock()
	reply(rw, map[string]any{"received": true}, nil)
}

// reply answers with JSON; an error is the asker's.
func reply(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		status, v = http.StatusBadRequest, map[string]string{"error": err.Error()}
	}
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the asker may be gone
}
