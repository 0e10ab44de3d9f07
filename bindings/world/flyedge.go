package world

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// edge is Fly's proxy in front of web apps: it ends TLS and passes requests
// on to a machine that is started, in reach, not cordoned and healthy.
type edge struct {
	world      *World
	plain, tls string // where it listens
	authority  string // file with the certificate of who signed its own

	mu   sync.Mutex
	turn int
	last map[string]verdict // by machine
}

// verdict is what the last check of a machine said.
type verdict struct {
	well bool
	at   time.Time
}

// checkEvery is how old a verdict may be, in real time whatever the speed: a
// check costs a question to a real database.
const checkEvery = 200 * time.Millisecond

// errNobody is why the edge passes nothing on.
var errNobody = errors.New("no machine of the app can take the request")

func (w *World) makeEdge() error {
	e := &edge{world: w, last: map[string]verdict{}}
	certificate, err := e.certify(filepath.Join(w.dir, "access", "fly-ca.pem"))
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Host
		},
		Transport:    &http.Transport{DisableKeepAlives: true, DialContext: e.dial},
		ErrorHandler: e.fail,
	}
	for i, to := range []*string{&e.plain, &e.tls} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*to = ln.Addr().String()
		server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
		if i == 1 {
			ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}})
		}
		server.SetKeepAlivesEnabled(false)
		go func() { _ = server.Serve(ln) }() // ends with Close
		w.onClose(server.Close)
	}
	w.edge = e
	return nil
}

// fail answers as Fly's proxy does when no machine can take a request.
func (e *edge) fail(w http.ResponseWriter, _ *http.Request, _ error) {
	w.Header().Set("fly-request-id", "edge")
	http.Error(w, "could not find a good candidate within 40 attempts at load balancing", http.StatusServiceUnavailable)
}

// dial finds a machine for a request: address is the host's name.
func (e *edge) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	for _, s := range e.candidates(ctx, strings.TrimSuffix(host, ".fly.dev")) {
		if to := s.route(); to.To != "" {
			if conn, err := d.DialContext(ctx, network, to.To); err == nil {
				return conn, nil
			}
		}
	}
	return nil, errNobody
}

// candidates lists the web servers of an app that may take a request, another
// one first each time.
func (e *edge) candidates(ctx context.Context, app string) []*site {
	state := e.world.fly.State()
	a, known := state.Apps[app]
	if !known {
		for _, other := range state.Apps { // a name of the customer's own, or an address
			if !other.Postgres {
				a = other
				break
			}
		}
	}
	var list []*site
	for id, m := range a.Machines {
		if m.State != "started" || !m.Reachable || m.Cordoned || m.Hung {
			continue
		}
		e.world.metalFly.mu.Lock()
		s := e.world.metalFly.sites[id]
		e.world.metalFly.mu.Unlock()
		if s != nil {
			list = append(list, s)
		}
	}
	return e.healthy(ctx, list)
}

func (e *edge) healthy(ctx context.Context, list []*site) []*site {
	var well, all []*site
	for _, s := range list {
		all = append(all, s)
		if e.ask(ctx, s) {
			well = append(well, s)
		}
	}
	if len(well) == 0 {
		// Every check fails: the vendor's proxy would answer 503. Customers
		// learn more from the application's own answer, and so does a drill.
		well = all
	}
	e.mu.Lock()
	e.turn++
	turn := e.turn
	e.mu.Unlock()
	if len(well) > 1 {
		turn %= len(well)
		well = append(well[turn:], well[:turn]...)
	}
	return well
}

// ask looks at a machine's check, or remembers what it said a moment ago.
func (e *edge) ask(ctx context.Context, s *site) bool {
	now := e.world.opt.Clock.Now()
	e.mu.Lock()
	v, known := e.last[s.addr]
	e.mu.Unlock()
	if known && now.Sub(v.at) < checkEvery {
		return v.well
	}
	v = verdict{s.health(ctx) == http.StatusOK, now}
	e.mu.Lock()
	e.last[s.addr] = v
	e.mu.Unlock()
	return v.well
}

// served are the names that the edge has a certificate for.
func (w *World) served() []string {
	names := []string{"*.fly.dev"}
	for _, z := range w.spec.Zones {
		names = append(names, z.Name, "*."+z.Name)
	}
	return names
}

// certify makes an authority and, signed by it, the edge's certificate.
func (e *edge) certify(file string) (tls.Certificate, error) {
	none := tls.Certificate{}
	now := e.world.opt.Clock.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return none, err
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Simulated Fly.io edge"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(30 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	signed, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		return none, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return none, err
	}
	e.authority = file
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return none, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "*.fly.dev"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		DNSNames: e.world.served(), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	made, err := x509.CreateCertificate(rand.Reader, leaf, root, &own.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{made}, PrivateKey: own}, err
}
