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
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

// proxy is for clients that cannot be told another address of a provider, such
// as flarectl: a CONNECT proxy that answers in the provider's place. It must
// never pass anything on to a host that is not of this world.
type proxy struct {
	hosts   map[string]http.Handler // "api.cloudflare.com" -> the gateway
	config  *tls.Config
	certs   string // file with the certificate that clients have to trust
	arrived *arrivals
}

// vendors are the names under which the providers' APIs are known.
func (w *World) vendors() map[string]http.Handler {
	return map[string]http.Handler{"api.cloudflare.com": w.gateways["cloudflare"], "api.hetzner.cloud": w.gateways["hetzner"]}
}

// serveProxy opens the proxy and says how clients find it.
func (w *World) serveProxy(hosts map[string]http.Handler) (url, certs string, err error) {
	p := &proxy{hosts: hosts, certs: filepath.Join(w.dir, "access", "ca.pem"), arrived: newArrivals()}
	if p.config, err = certificates(hosts, p.certs); err != nil {
		return "", "", fmt.Errorf("make the proxy's certificate: %w", err)
	}
	inner := &http.Server{Handler: http.HandlerFunc(p.answer), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = inner.Serve(p.arrived) }() // ends with Close
	w.onClose(inner.Close)
	url, err = w.listen(http.HandlerFunc(p.connect))
	return url, p.certs, err
}

// connect takes a CONNECT request and hands the connection on to answer.
func (p *proxy) connect(w http.ResponseWriter, r *http.Request) {
	host := strings.ToLower(r.URL.Hostname())
	switch {
	case r.Method != http.MethodConnect:
		http.Error(w, "this proxy leads to the simulated providers by HTTPS only", http.StatusMethodNotAllowed)
		return
	case p.hosts[host] == nil || r.URL.Port() != "443":
		http.Error(w, r.Host+" is no provider of the simulated world", http.StatusForbidden)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil || !p.arrived.add(tls.Server(conn, p.config)) {
		_ = conn.Close() // the client is gone, or the world is
	}
}

// answer gives a request to the provider that it names.
func (p *proxy) answer(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	next := p.hosts[strings.ToLower(host)]
	if next == nil {
		http.Error(w, r.Host+" is no provider of the simulated world", http.StatusMisdirectedRequest)
		return
	}
	next.ServeHTTP(w, r)
}

// arrivals is a listener for connections that were accepted elsewhere.
type arrivals struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func newArrivals() *arrivals {
	return &arrivals{conns: make(chan net.Conn), ended: make(chan struct{})}
}

func (a *arrivals) add(c net.Conn) bool {
	select {
	case a.conns <- c:
		return true
	case <-a.ended:
		return false
	}
}

func (a *arrivals) Accept() (net.Conn, error) {
	select {
	case c := <-a.conns:
		return c, nil
	case <-a.ended:
		return nil, net.ErrClosed
	}
}

func (a *arrivals) Close() error {
	a.once.Do(func() { close(a.ended) })
	return nil
}

func (a *arrivals) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// certificates makes an authority of the world's own, writes its certificate
// to file and returns what a server for the hosts needs. The authority's key
// is forgotten: nobody can make another certificate that its clients trust.
func certificates(hosts map[string]http.Handler, file string) (*tls.Config, error) {
	now := clock.System{}.Now()
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name, Organization: []string{"drhost sim"}},
			NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), BasicConstraintsValid: true}
	}
	authority, leaf := template(1, "drhost simulated world"), template(2, "simulated providers")
	authority.IsCA, authority.KeyUsage = true, x509.KeyUsageCertSign
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for host := range hosts {
		leaf.DNSNames = append(leaf.DNSNames, host)
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	own, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{own, root}, PrivateKey: key}},
		NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}, nil
}

// clientEnv are the variables for clients that know nothing of this world.
func (w *World) clientEnv(context.Context) error {
	url, certs, err := w.serveProxy(w.vendors())
	if err != nil {
		return err
	}
	resolver, authority := w.nameservers[resolver1], w.nameservers[glue1]
	host, port, err := net.SplitHostPort(resolver)
	_, authorityPort, err2 := net.SplitHostPort(authority)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	w.descriptor.Env = append(w.descriptor.Env, "CF_API_TOKEN="+w.access.cloudflareToken, "HTTPS_PROXY="+url, "SSL_CERT_FILE="+certs,
		"DRHOST_DNS_HOST="+host, "DRHOST_DNS_PORT="+port, "DRHOST_AUTHORITY_PORT="+authorityPort)
	return nil
}
