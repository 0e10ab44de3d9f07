package hetznersim

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// sshKey is a public key that new servers can be given.
type sshKey struct {
	head
	public, fingerprint string
}

// fingerprint is the MD5 form that the vendor uses; empty when the key cannot
// be read.
func fingerprint(public string) string {
	fields := strings.Fields(public)
	if len(fields) < 2 {
		return ""
	}
	raw, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil || len(raw) < 4 {
		return ""
	}
	sum := md5.Sum(raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02x", b)
	}
	return strings.Join(pairs, ":")
}

func (k *sshKey) view() obj {
	return obj{
		"id": k.id, "name": k.name, "fingerprint": k.fingerprint, "public_key": k.public,
		"labels": shown(k.labels), "created": stamp(k.created),
	}
}

func (s *Sim) listKeys(c *call) (int, any, error) {
	list := slices.DeleteFunc(inOrder(s.keys), func(k *sshKey) bool { return !oneOf(c.query["fingerprint"], k.fingerprint) })
	return listing(c, "ssh_keys", list, (*sshKey).view)
}

func (s *Sim) getKey(c *call) (int, any, error) {
	k := s.keys[c.id]
	if k == nil {
		return 0, nil, notFound("SSH key", c.id)
	}
	return 200, obj{"ssh_key": k.view()}, nil
}

func (s *Sim) createKey(c *call) (int, any, error) {
	var asked struct {
		Name      string            `json:"name"`
		PublicKey string            `json:"public_key"`
		Labels    map[string]string `json:"labels"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.Name == "" {
		return 0, nil, invalid("name", "must be given")
	}
	print := fingerprint(asked.PublicKey)
	if print == "" {
		return 0, nil, invalid("public_key", "is not an SSH public key")
	}
	if err := checkLabels(asked.Labels); err != nil {
		return 0, nil, err
	}
	for _, k := range s.keys {
		if k.name == asked.Name {
			return 0, nil, taken("SSH key")
		}
		if k.fingerprint == print {
			return 0, nil, &problem{
				status: 409, code: "uniqueness_error", message: "SSH key with the same fingerprint already exists",
				details: obj{"fields": []obj{{"name": "public_key"}}},
			}
		}
	}
	k := &sshKey{head: s.newHead(asked.Name, asked.Labels), public: asked.PublicKey, fingerprint: print}
	s.keys[k.id] = k
	return 201, obj{"ssh_key": k.view()}, nil
}

// newHead numbers and dates a new resource.
func (s *Sim) newHead(name string, labels map[string]string) head {
	return head{id: s.next(), name: name, created: s.now(), labels: labels}
}

func (s *Sim) updateKey(c *call) (int, any, error) {
	k := s.keys[c.id]
	if k == nil {
		return 0, nil, notFound("SSH key", c.id)
	}
	if err := rename(c, &k.head, inOrder(s.keys), "SSH key"); err != nil {
		return 0, nil, err
	}
	return 200, obj{"ssh_key": k.view()}, nil
}

// rename changes name and labels of a resource, as most updates do. Names are
// unique among all.
func rename[T headed](c *call, h *head, all []T, kind string) error {
	var asked struct {
		Name   *string            `json:"name"`
		Labels *map[string]string `json:"labels"`
	}
	if err := c.decode(&asked); err != nil {
		return err
	}
	if asked.Name != nil && *asked.Name != "" {
		if used(all, *asked.Name, h.id) {
			return taken(kind)
		}
	}
	if err := h.relabel(asked.Labels); err != nil {
		return err
	}
	if asked.Name != nil && *asked.Name != "" {
		h.name = *asked.Name
	}
	return nil
}

// used tells whether another than except has the name.
func used[T headed](all []T, name string, except int64) bool {
	return slices.ContainsFunc(all, func(one T) bool { return one.top().name == name && one.top().id != except })
}

func (s *Sim) deleteKey(c *call) (int, any, error) {
	if s.keys[c.id] == nil {
		return 0, nil, notFound("SSH key", c.id)
	}
	delete(s.keys, c.id)
	return 204, nil, nil
}

// keysFor resolves references to public keys.
func (s *Sim) keysFor(refs []ref) ([]string, error) {
	var public []string
	for _, r := range refs {
		i := slices.IndexFunc(inOrder(s.keys), func(k *sshKey) bool { return r.means(k.id, k.name) })
		if i < 0 {
			return nil, notFound("SSH key", r.key())
		}
		public = append(public, inOrder(s.keys)[i].public)
	}
	return public, nil
}
