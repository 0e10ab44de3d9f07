package world

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

// variable is what the world tells other clients.
func (x *tour) variable(name string) string {
	x.Helper()
	for _, line := range x.Descriptor().Env {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return value
		}
	}
	x.Fatalf("no variable %s in %v", name, x.Descriptor().Env)
	return ""
}

// throughProxy is a client that knows the printed variables alone.
func (x *tour) throughProxy(trust bool) *http.Client {
	x.Helper()
	proxy, err := url.Parse(x.variable("HTTPS_PROXY"))
	if err != nil {
		x.Fatal(err)
	}
	roots := x509.NewCertPool()
	text, err := os.ReadFile(x.variable("SSL_CERT_FILE"))
	if err != nil || (trust && !roots.AppendCertsFromPEM(text)) {
		x.Fatalf("no certificate: %v", err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
	x.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestProxyStandsInForTheVendors: a client that has no endpoint option reaches
// the simulated providers, under the vendors' names, and nobody else.
func TestProxyStandsInForTheVendors(t *testing.T) {
	x := small(t, 100)
	web := x.throughProxy(true)
	get := func(address, token string) (int, string, error) {
		req, err := http.NewRequestWithContext(x.ctx, http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := web.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
	for address, c := range map[string][2]string{
		"https://api.cloudflare.com/client/v4/zones": {x.variable("CF_API_TOKEN"), "example.org"},
		"https://api.hetzner.cloud/v1/servers":       {x.variable("HCLOUD_TOKEN"), "bare-1"},
	} {
		if status, body, err := get(address, c[0]); err != nil || status != 200 || !strings.Contains(body, c[1]) {
			t.Errorf("%s: %d %s %v", address, status, body, err)
		}
	}
	for _, address := range []string{"https://example.com/", "https://api.cloudflare.com:8443/client/v4/zones"} {
		if status, body, err := get(address, ""); err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s was reached: %d %s %v", address, status, body, err)
		}
	}
	web = x.throughProxy(false)
	var unknown x509.UnknownAuthorityError
	if _, _, err := get("https://api.cloudflare.com/client/v4/zones", ""); !errors.As(err, &unknown) {
		t.Errorf("without the world's certificate: %v", err)
	}
	if seen := x.Requests(); len(seen) != 2 || seen[0].Provider == seen[1].Provider {
		t.Errorf("the world saw %+v", seen)
	}
}
