package world

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// webCheck is the name of the check that a web app's machines have: the first
// check of their first service.
const webCheck = "servicecheck-00-http-8080"

// databaseVariable is where the application finds its database.
const databaseVariable = "DATABASE_URL"

// site is the web application on one machine. It answers out of the database
// that its environment names.
type site struct {
	b      flysim.Blueprint
	app    *machine.Application
	server *http.Server
	addr   string
	bad    bool // its image does not work

	mu    sync.Mutex
	hung  bool
	conns []net.Conn // what ends with it
}

func (f *flyMetal) startSite(b flysim.Blueprint) error {
	f.drop(b.ID) // whatever was left of an earlier life
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &site{b: b, addr: ln.Addr().String()}
	f.mu.Lock()
	s.bad = f.bad[b.Image]
	f.mu.Unlock()
	s.app = machine.NewApplication(machine.Service{Name: b.ID, Region: b.Region,
		Release: func() (string, error) { return releaseOf(b.Image), nil },
		Connect: func(ctx context.Context) (*pgx.Conn, error) { return f.world.connect(ctx, b.Env[databaseVariable]) }})
	s.server = &http.Server{Handler: s}
	go func() { _ = s.server.Serve(ln) }() // ends with close
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sites[b.ID] = s
	return nil
}

// releaseOf is the tag of an image.
func releaseOf(image string) string {
	_, tag, found := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	if !found {
		return image
	}
	return tag
}

// ServeHTTP answers as the application does; an image that does not work
// answers every request with an error of its own.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.bad {
		http.Error(w, "Internal Server Error: UndefinedFunctionError in "+releaseOf(s.b.Image), http.StatusInternalServerError)
		return
	}
	s.app.ServeHTTP(w, r)
}

// health is the status of the application's own check.
func (s *site) health(ctx context.Context) int {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/health", nil)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}

func (s *site) hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hung = true
}

func (s *site) route() Route {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hung {
		return Route{Drop: true}
	}
	return Route{To: s.addr}
}

// keep lets a connection end together with the machine.
func (s *site) keep(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
}

func (s *site) close() {
	s.mu.Lock()
	conns := s.conns
	s.conns = nil
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	_ = s.server.Close() // its listener is gone either way
	_ = s.app.Close()
}

// dialInside connects as a machine at Fly.io does: the private network is
// there also when the world outside is cut off.
func (w *World) dialInside(ctx context.Context, network, address string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	to, ok := w.findFly(at.Addr().Unmap(), int(at.Port()))
	if !ok || to.To == "" {
		return w.dial(ctx, network, address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, to.To)
}

// connect opens a connection to the database that a URL names, through the
// world's resolver and routes.
func (w *World) connect(ctx context.Context, address string) (*pgx.Conn, error) {
	if address == "" {
		return nil, fmt.Errorf("%s is not set", databaseVariable)
	}
	if u, err := url.Parse(address); err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql" && u.Scheme != "ecto") {
		return nil, fmt.Errorf("%s is no address of a database", databaseVariable)
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read", databaseVariable) // the error may show the password
	}
	config.TLSConfig, config.Fallbacks = nil, nil
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		found, err := w.lookup(ctx, host)
		if err != nil {
			return nil, err
		}
		return w.dialInside(ctx, network, net.JoinHostPort(found, port))
	}
	return pgx.ConnectConfig(ctx, config)
}
