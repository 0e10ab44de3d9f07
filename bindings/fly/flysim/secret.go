package flysim

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"
)

// secret is a value that goes into machines and never out of the API.
type secret struct {
	value, digest    string
	created, updated time.Time
}

// digestOf is a digest as registries write it.
func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func secretView(name string, v *secret) obj {
	return obj{"name": name, "digest": v.digest, "created_at": stamp(v.created), "updated_at": stamp(v.updated)}
}

func (s *Sim) secretViews(a *app) []obj {
	list := []obj{}
	for _, name := range slices.Sorted(maps.Keys(a.secrets)) {
		list = append(list, secretView(name, a.secrets[name]))
	}
	return list
}

// listSecrets shows names and digests. Values are refused also to those who
// ask for them, as they are to tokens without that right.
func (s *Sim) listSecrets(c *call) (int, any, error) {
	return 200, obj{"secrets": s.secretViews(c.app)}, nil
}

func (s *Sim) getSecret(c *call) (int, any, error) {
	name := c.PathValue("name")
	v := c.app.secrets[name]
	if v == nil {
		return 0, nil, notFound("secret")
	}
	return 200, secretView(name, v), nil
}

// setValue changes a secret; a nil value removes it. The caller holds the lock.
func (s *Sim) setValue(a *app, name string, value *string) {
	old := a.secrets[name]
	switch {
	case value == nil:
		delete(a.secrets, name)
		return
	case old == nil:
		old = &secret{created: s.now()}
		a.secrets[name] = old
	}
	// The vendor's digest is short and keyed; only whether it changed matters.
	old.value, old.updated = *value, s.now()
	old.digest = digestOf(a.id + *value)[len("sha256:"):][:16]
}

// updateSecrets takes several at once. No machine has them before its next
// update.
func (s *Sim) updateSecrets(c *call) (int, any, error) {
	var in struct {
		Values map[string]*string `json:"values"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if len(in.Values) == 0 {
		return 0, nil, invalid("values is missing")
	}
	changed := []obj{}
	for _, name := range slices.Sorted(maps.Keys(in.Values)) {
		s.setValue(c.app, name, in.Values[name])
		if v := c.app.secrets[name]; v != nil {
			changed = append(changed, secretView(name, v))
		}
	}
	c.app.version++
	return 200, obj{"secrets": changed, "version": c.app.version}, nil
}

func (s *Sim) setSecret(c *call) (int, any, error) {
	var in struct {
		Value string `json:"value"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	name := c.PathValue("name")
	s.setValue(c.app, name, &in.Value)
	c.app.version++
	view := secretView(name, c.app.secrets[name])
	view["version"] = c.app.version
	return 200, view, nil
}

func (s *Sim) deleteSecret(c *call) (int, any, error) {
	name := c.PathValue("name")
	if c.app.secrets[name] == nil {
		return 0, nil, notFound("secret")
	}
	s.setValue(c.app, name, nil)
	c.app.version++
	return 200, obj{"version": c.app.version}, nil
}
