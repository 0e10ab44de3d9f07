package hetznersim

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// certificate proves to customers of a load balancer whom they talk to. The
// private key of an uploaded one is checked and not kept: the API never gives
// it back.
type certificate struct {
	head
	kind        string // uploaded or managed
	chain       string // PEM; empty while a managed one is not issued
	fingerprint string
	domains     []string
	from, until time.Time
	issuance    string // of a managed one: pending, failed
	failure     *problem
	busy        int
}

func (k *certificate) resource() resource { return resource{k.id, "certificate"} }

func (s *Sim) certificateView(k *certificate) obj {
	view := obj{
		"id": k.id, "name": k.name, "labels": shown(k.labels), "created": stamp(k.created), "type": k.kind,
		"certificate": nil, "fingerprint": nil, "not_valid_before": nil, "not_valid_after": nil,
		"domain_names": listed(k.domains), "status": nil, "used_by": s.usersOf(k.id),
	}
	if k.chain != "" {
		view["certificate"], view["fingerprint"] = k.chain, k.fingerprint
		view["not_valid_before"], view["not_valid_after"] = stamp(k.from), stamp(k.until)
	}
	if k.kind == "managed" {
		status := obj{"issuance": k.issuance, "renewal": "unavailable", "error": nil}
		if k.failure != nil {
			status["error"] = obj{"code": k.failure.code, "message": k.failure.message}
		}
		view["status"] = status
	}
	return view
}

// usersOf lists the load balancers with a service that shows a certificate.
func (s *Sim) usersOf(certificate int64) []resource {
	list := []resource{}
	for _, b := range inOrder(s.balancers) {
		if slices.ContainsFunc(b.services, func(one service) bool { return one.HTTP != nil && slices.Contains(one.HTTP.Certificates, certificate) }) {
			list = append(list, b.resource())
		}
	}
	return list
}

// knownCertificates refuses a service that shows a certificate which is not
// there.
func (s *Sim) knownCertificates(one service) error {
	if one.HTTP == nil {
		return nil
	}
	for _, id := range one.HTTP.Certificates {
		if s.certificates[id] == nil {
			return notFound("certificate", id)
		}
	}
	return nil
}

func (s *Sim) listCertificates(c *call) (int, any, error) {
	list := slices.DeleteFunc(inOrder(s.certificates), func(k *certificate) bool { return !oneOf(c.query["type"], k.kind) })
	return listing(c, "certificates", list, s.certificateView)
}

func (s *Sim) getCertificate(c *call) (int, any, error) {
	k := s.certificates[c.id]
	if k == nil {
		return 0, nil, notFound("certificate", c.id)
	}
	return 200, obj{"certificate": s.certificateView(k)}, nil
}

func (s *Sim) createCertificate(c *call) (int, any, error) {
	var asked struct {
		Name        string            `json:"name"`
		Type        string            `json:"type"`
		Certificate string            `json:"certificate"`
		PrivateKey  string            `json:"private_key"`
		Domains     []string          `json:"domain_names"`
		Labels      map[string]string `json:"labels"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	switch {
	case asked.Name == "":
		return 0, nil, invalid("name", "must be given")
	case used(inOrder(s.certificates), asked.Name, 0):
		return 0, nil, taken("certificate")
	}
	if err := checkLabels(asked.Labels); err != nil {
		return 0, nil, err
	}
	k := &certificate{kind: or(asked.Type, "uploaded"), chain: asked.Certificate, domains: asked.Domains}
	switch k.kind {
	case "uploaded":
		if err := k.read(asked.PrivateKey); err != nil {
			return 0, nil, err
		}
	case "managed":
		if len(asked.Domains) == 0 {
			return 0, nil, invalid("domain_names", "must be given")
		}
		k.chain = ""
	default:
		return 0, nil, invalid("type", "must be uploaded or managed")
	}
	k.head = s.newHead(asked.Name, asked.Labels)
	s.certificates[k.id] = k
	answer := obj{"action": nil}
	if k.kind == "managed" {
		answer["action"] = s.actionView(s.issue(k, "create_certificate"))
	}
	answer["certificate"] = s.certificateView(k)
	return 201, answer, nil
}

// read takes over what the certificate itself says, once its key fits.
func (k *certificate) read(key string) error {
	if key == "" {
		return invalid("private_key", "must be given")
	}
	pair, err := tls.X509KeyPair([]byte(k.chain), []byte(key))
	if err != nil {
		field := "certificate"
		if strings.Contains(err.Error(), "key") {
			field = "private_key"
		}
		return invalid(field, "%s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	sum := sha256.Sum256(pair.Certificate[0])
	pairs := make([]string, len(sum))
	for i := range sum {
		pairs[i] = hex.EncodeToString(sum[i : i+1])
	}
	k.fingerprint = strings.Join(pairs, ":")
	k.domains, k.from, k.until = pair.Leaf.DNSNames, pair.Leaf.NotBefore, pair.Leaf.NotAfter
	if len(k.domains) == 0 && pair.Leaf.Subject.CommonName != "" {
		k.domains = []string{pair.Leaf.Subject.CommonName}
	}
	return nil
}

// issue asks for a managed certificate. The vendor issues one for names whose
// zone is in its own DNS only, and the zones of this world are elsewhere.
func (s *Sim) issue(k *certificate, command string) *action {
	k.issuance, k.failure = "pending", nil
	nowhere := &problem{code: "dns_zone_not_found", message: fmt.Sprintf("DNS zone not found: %s", strings.Join(k.domains, ", "))}
	return s.start(job{
		command: command, on: []resource{k.resource()}, took: s.latency.Setting, busy: []*int{&k.busy},
		begin: func(context.Context) error { return nowhere },
		fail:  func() { k.issuance, k.failure = "failed", nowhere },
	})
}

func (s *Sim) retryCertificate(c *call) (int, any, error) {
	k, err := s.freeCertificate(c.id)
	switch {
	case err != nil:
		return 0, nil, err
	case k.kind != "managed" || k.issuance != "failed":
		return 0, nil, &problem{status: 400, code: "unsupported_error", message: "only a managed certificate whose issuance failed is asked for again"}
	}
	return s.acted(s.issue(k, "issue_certificate"))
}

func (s *Sim) updateCertificate(c *call) (int, any, error) {
	k := s.certificates[c.id]
	if k == nil {
		return 0, nil, notFound("certificate", c.id)
	}
	if err := rename(c, &k.head, inOrder(s.certificates), "certificate"); err != nil {
		return 0, nil, err
	}
	return 200, obj{"certificate": s.certificateView(k)}, nil
}

func (s *Sim) deleteCertificate(c *call) (int, any, error) {
	k, err := s.freeCertificate(c.id)
	switch {
	case err != nil:
		return 0, nil, err
	case len(s.usersOf(k.id)) > 0:
		return 0, nil, refused("resource_in_use", "certificate is still used by a load balancer")
	}
	delete(s.certificates, k.id)
	return 204, nil, nil
}

func (s *Sim) freeCertificate(id int64) (*certificate, error) {
	k := s.certificates[id]
	switch {
	case k == nil:
		return nil, notFound("certificate", id)
	case k.busy > 0:
		return nil, locked("certificate")
	}
	return k, nil
}
