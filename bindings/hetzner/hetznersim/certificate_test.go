package hetznersim_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
)

// pemPair makes a certificate for names that signs itself, and its key.
func pemPair(t *testing.T, names ...string) (chain, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: from, NotAfter: from.AddDate(1, 0, 0)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

func TestUploadedCertificate(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	chain, key := pemPair(t, "webhost.systems", "*.webhost.systems")
	_, other := pemPair(t, "webhost.systems")
	for field, opts := range map[string]hcloud.CertificateCreateOpts{
		"certificate": {Name: "web", Certificate: "none", PrivateKey: key},
		"private_key": {Name: "web", Certificate: chain, PrivateKey: other},
	} {
		_, _, err := l.client.Certificate.Create(l.ctx, opts)
		l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
		if details, ok := err.(hcloud.Error).Details.(hcloud.ErrorDetailsInvalidInput); !ok || details.Fields[0].Name != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	made := ok[*hcloud.Certificate](t)(l.client.Certificate.Create(l.ctx, hcloud.CertificateCreateOpts{
		Name: "web", Certificate: chain, PrivateKey: key, Labels: map[string]string{"tier": "hobby"},
	}))
	k := ok[*hcloud.Certificate](t)(l.client.Certificate.GetByName(l.ctx, "web"))
	if k.ID != made.ID || k.Type != hcloud.CertificateTypeUploaded || k.Certificate != chain || k.Status != nil || len(k.Fingerprint) != 32*3-1 ||
		!slices.Equal(k.DomainNames, []string{"webhost.systems", "*.webhost.systems"}) || k.NotValidAfter.Year() != 2027 || k.Labels["tier"] != "hobby" {
		t.Fatalf("%+v", k)
	}
	_, _, err := l.client.Certificate.Create(l.ctx, hcloud.CertificateCreateOpts{Name: "web", Certificate: chain, PrivateKey: key})
	l.refusal(err, 409, hcloud.ErrorCodeUniquenessError)

	balancer, _ := l.sim.AddLoadBalancer("front", "fsn1", nil)
	front := &hcloud.LoadBalancer{ID: balancer}
	shown := func(id int64) hcloud.LoadBalancerAddServiceOpts {
		return hcloud.LoadBalancerAddServiceOpts{Protocol: hcloud.LoadBalancerServiceProtocolHTTPS, ListenPort: hcloud.Ptr(443), DestinationPort: hcloud.Ptr(80),
			HTTP: &hcloud.LoadBalancerAddServiceOptsHTTP{Certificates: []*hcloud.Certificate{{ID: id}}}}
	}
	_, _, err = l.client.LoadBalancer.AddService(l.ctx, front, shown(4))
	l.refusal(err, 404, hcloud.ErrorCodeNotFound)
	l.done(l.client.LoadBalancer.AddService(l.ctx, front, shown(k.ID)))
	k = ok[*hcloud.Certificate](t)(l.client.Certificate.GetByID(l.ctx, k.ID))
	if len(k.UsedBy) != 1 || k.UsedBy[0].ID != balancer || k.UsedBy[0].Type != hcloud.CertificateUsedByRefTypeLoadBalancer {
		t.Errorf("used by %+v", k.UsedBy)
	}
	_, err = l.client.Certificate.Delete(l.ctx, k)
	l.refusal(err, 422, hcloud.ErrorCodeResourceInUse)
	l.done(l.client.LoadBalancer.DeleteService(l.ctx, front, 443))
	if now := ok[*hcloud.Certificate](t)(l.client.Certificate.Update(l.ctx, k, hcloud.CertificateUpdateOpts{Name: "old"})); now.Name != "old" {
		t.Errorf("%+v", now)
	}
	if _, err := l.client.Certificate.Delete(l.ctx, k); err != nil {
		t.Fatal(err)
	}
	if all, err := l.client.Certificate.All(l.ctx); err != nil || len(all) != 0 {
		t.Errorf("%+v %v", all, err)
	}
}

// TestManagedCertificate: the vendor issues one for zones in its own DNS only.
func TestManagedCertificate(t *testing.T) {
	l := newLab(t, hetznersim.Options{Speed: 5000})
	made := ok[hcloud.CertificateCreateResult](t)(l.client.Certificate.CreateCertificate(l.ctx, hcloud.CertificateCreateOpts{
		Name: "web", Type: hcloud.CertificateTypeManaged, DomainNames: []string{"webhost.systems"},
	}))
	if err := l.client.Action.WaitFor(l.ctx, made.Action); !hcloud.IsError(err, hcloud.ErrorCodeDNSZoneNotFound) && !isAction(err, "dns_zone_not_found") {
		t.Errorf("issued: %v", err)
	}
	k := ok[*hcloud.Certificate](t)(l.client.Certificate.GetByName(l.ctx, "web"))
	if k.Certificate != "" || k.Status == nil || !k.Status.IsFailed() || k.Status.Error.Code != hcloud.ErrorCodeDNSZoneNotFound {
		t.Errorf("%+v", k)
	}
	again := ok[*hcloud.Action](t)(l.client.Certificate.RetryIssuance(l.ctx, k))
	if err := l.client.Action.WaitFor(l.ctx, again); err == nil {
		t.Error("issued at the second try")
	}
	managed := ok[[]*hcloud.Certificate](t)(l.client.Certificate.List(l.ctx, hcloud.CertificateListOpts{ListOpts: hcloud.ListOpts{}, Name: "web"}))
	if len(managed) != 1 {
		t.Errorf("%+v", managed)
	}
	if _, err := l.client.Certificate.Delete(l.ctx, k); err != nil {
		t.Error(err)
	}
}

func isAction(err error, code string) bool {
	failed, is := err.(hcloud.ActionError)
	return is && failed.Code == code
}

func TestCommandLineCertificates(t *testing.T) {
	_, hcloud := commandLine(t)
	if hcloud == nil {
		return
	}
	chain, key := pemPair(t, "webhost.systems")
	dir := t.TempDir()
	for name, text := range map[string]string{"chain.pem": chain, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hcloud("NAME", "certificate", "list")
	hcloud("created", "certificate", "create", "--name", "web", "--type", "uploaded", "--cert-file", filepath.Join(dir, "chain.pem"), "--key-file", filepath.Join(dir, "key.pem"))
	hcloud("webhost.systems", "certificate", "list")
	hcloud("webhost.systems", "certificate", "describe", "web")
	hcloud("deleted", "certificate", "delete", "web")
	hcloud("hcloud: certificate not found: web", "certificate", "describe", "web")
}
