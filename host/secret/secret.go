// Package secret keeps credentials from being printed. A Value formats as
// [secret] under every verb; a Redactor removes known values from text that is
// about to leave the process. It must never log, and never decide where a
// credential comes from: that is host/config.
package secret

import (
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"sync"
)

// Mark is what stands where a secret would have stood.
const Mark = "[secret]"

// Value is a credential. Its zero value is empty and prints like any other.
type Value struct{ reveal func() string }

// New wraps text.
func New(text string) Value { return Value{func() string { return text }} }

// Reveal returns the text. Call it only where the text goes into a header, a
// handshake or a child's private file.
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// Empty tells whether there is nothing inside.
func (v Value) Empty() bool { return v.Reveal() == "" }

func (v Value) String() string               { return Mark }
func (v Value) GoString() string             { return Mark }
func (v Value) Format(s fmt.State, _ rune)   { fmt.Fprint(s, Mark) }
func (v Value) MarshalText() ([]byte, error) { return []byte(Mark), nil }
func (v Value) LogValue() slog.Value         { return slog.StringValue(Mark) }

// shortest is the length in bytes under which a secret is not searched for:
// redacting every "a" would destroy the output and hide nothing.
const shortest = 4

// Redactor replaces every known secret in text by Mark, also where a program
// has escaped or encoded it. It is safe for concurrent use; the zero value
// redacts nothing.
type Redactor struct {
	mu    sync.RWMutex
	known []string
	swap  *swap
}

// swap replaces what is known at one time. It is never changed.
type swap struct {
	whole   *strings.Replacer
	heads   map[uint64][]string // what is looked for at a cut, by its first bytes
	tails   map[uint64][]string // and by its last
	longest int                 // bytes of it that may be left
}

// Replace returns s without any form of a secret, whole or cut off.
func (w *swap) Replace(s string) string { return w.cut(w.whole.Replace(s)) }

// guessed tells whether text is a password that everybody tries first and that
// is a name or a value elsewhere. To redact it would hide nothing from anybody,
// and hand a runbook that asks for its databases "[secret]" for "postgres".
func guessed(text string) bool {
	switch strings.ToLower(text) {
	case "postgres", "password", "secret", "root", "admin", "test", "user", "true", "false", "null", "none", "default", "localhost":
		return true
	}
	return false
}

// Add makes v known. Values shorter than four bytes, and those that are the
// first guess of everybody, are ignored.
func (r *Redactor) Add(v Value) {
	text := v.Reveal()
	if len(strings.TrimSpace(text)) < shortest || guessed(text) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.known {
		if k == text {
			return
		}
	}
	r.known = append(r.known, text)
	// The longest first, so that a secret that contains another goes whole.
	sort.Slice(r.known, func(i, j int) bool { return len(r.known[i]) > len(r.known[j]) })
	var pairs, pieces []string
	for _, k := range r.known {
		for _, form := range forms(k) {
			pairs = append(pairs, form, Mark)
		}
		pieces = append(pieces, fragile(k)...)
	}
	r.swap = &swap{whole: strings.NewReplacer(pairs...)}
	r.swap.pieces(pieces)
}

// Text returns s without any known secret.
func (r *Redactor) Text(s string) string {
	if swap := r.replacer(); swap != nil {
		return swap.Replace(s)
	}
	return s
}

// Knows tells whether there is anything to redact.
func (r *Redactor) Knows() bool { return r.replacer() != nil }

// replacer is nil while no secret is known.
func (r *Redactor) replacer() *swap {
	if r == nil {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.swap
}

// Data returns v with Text applied to every string inside maps and slices, in
// place where it can. The keys of a map are texts too, except where the map is
// a record (it has a "$type"): its keys are names that drhost gave.
func (r *Redactor) Data(v any) any {
	if swap := r.replacer(); swap != nil {
		return redact(swap, v)
	}
	return v
}

// redact is Data over what is known.
func redact(swap *swap, v any) any {
	switch v := v.(type) {
	case string:
		return swap.Replace(v)
	case []any:
		for i, x := range v {
			v[i] = redact(swap, x)
		}
	case map[string]any:
		redactMap(swap, v)
	}
	return v
}

func redactMap(swap *swap, m map[string]any) {
	_, record := m["$type"]
	var renamed map[string]any
	for k, x := range m {
		m[k] = redact(swap, x)
		if record {
			continue
		}
		if clean := swap.Replace(k); clean != k {
			if renamed == nil {
				renamed = map[string]any{}
			}
			renamed[clean] = m[k]
			delete(m, k)
		}
	}
	for k, x := range renamed {
		m[k] = x
	}
}
