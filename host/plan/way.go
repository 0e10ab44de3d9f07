// Package plan finds the ways that a run may take without taking any: it keeps
// what is decided on each, tells them as a tree, and compares a run that
// follows a plan with it. It must never call a provider and never decide for a
// person; it knows neither Lua nor the gate.
package plan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/journal"
)

// again is how often one place may be decided in one way before the plan only
// looks for the end of the loop that it stands in.
const again = 3

// Book is what the ways of one plan share: what was read. A read that was made
// once, after the same changes, is not made again, so that the ways agree and
// the provider is spared.
type Book struct {
	mu    sync.Mutex
	known map[string]journal.Outcome
	keep  func(journal.Outcome) error
	reads int
}

// NewBook returns an empty book; keep is told of every read that is made.
func NewBook(keep func(journal.Outcome) error) *Book {
	return &Book{known: map[string]journal.Outcome{}, keep: keep}
}

// Reads is how many calls were made live.
func (b *Book) Reads() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reads
}

// Item is one thing that happens on a way.
type Item struct {
	Kind    journal.Kind
	Payload any
	Before  bool // it was read after changes that were only predicted
}

// Way is one way through a runbook: every decision that was met has one answer.
// Its methods may be called from any goroutine; those of a nil way decide for
// the first answer and keep nothing.
type Way struct {
	mu      sync.Mutex
	book    *Book
	forced  map[string]int
	decided []journal.Decision
	items   []Item
	changes int
	digest  [sha256.Size]byte // of the changes so far
	quiet   int
	leftOut int
	places  map[string]int
	names   map[string]int
}

// NewWay begins a way on which the forced decisions go as told and all others
// the way that is looked at first.
func NewWay(book *Book, forced map[string]int) *Way {
	return &Way{book: book, forced: forced, places: map[string]int{}, names: map[string]int{}}
}

// Decide answers d, whose Choice is what is looked at first. Key is made unique
// on this way.
func (w *Way) Decide(d journal.Decision) int {
	if w == nil {
		return d.Choice
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.quiet > 0 {
		return d.Choice
	}
	w.names[d.Key]++
	if n := w.names[d.Key]; n > 1 {
		d.Key = fmt.Sprintf("%s#%d", d.Key, n)
	}
	place := d.Form + d.Site.String() + "\x00" + d.Site.Step
	w.places[place]++
	if n := w.places[place]; n > again {
		if len(d.Choices) > 1 && n%2 == 0 { // one of both answers leaves the loop
			d.Choice = (d.Choice + 1) % len(d.Choices)
		}
		w.leftOut++
		return d.Choice
	}
	if choice, ok := w.forced[d.Key]; ok {
		d.Choice = choice
	}
	w.decided = append(w.decided, d)
	w.items = append(w.items, Item{Kind: journal.DecisionMade, Payload: d})
	return d.Choice
}

// Take keeps what happened.
func (w *Way) Take(kind journal.Kind, payload any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.quiet > 0 && kind != journal.CallOutcome {
		return
	}
	w.items = append(w.items, Item{Kind: kind, Payload: payload, Before: w.changes > 0})
}

// Hush lets decisions go unrecorded until the result is called: what is tried
// over and over is decided as a whole.
func (w *Way) Hush() (end func()) {
	if w == nil {
		return func() {}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.quiet++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.quiet--
	}
}

// Quiet tells whether decisions go unrecorded.
func (w *Way) Quiet() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.quiet > 0
}

// Changes counts the changes that were predicted so far. Since the first of
// them, what is read of the world is not what the run will meet.
func (w *Way) Changes() int {
	if w == nil {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changes
}

// JustDecided tells whether the last that happened is a decision that belongs to
// site: one made there, or a wait that ended.
func (w *Way) JustDecided(site journal.Site) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.items) == 0 {
		return false
	}
	d, ok := w.items[len(w.items)-1].Payload.(journal.Decision)
	return ok && (d.Form == "eventually" || d.Site.String() == site.String())
}

// LastRead is the call that was read last, "" when the way begins with no read.
func (w *Way) LastRead() string {
	if w == nil {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.items) - 1; i >= 0; i-- {
		if out, ok := w.items[i].Payload.(journal.Outcome); ok {
			return Describe(out.Call, out.Args)
		}
	}
	return ""
}

// Describe names a call by what it is about: `http.check http://x/health`.
func Describe(call string, args map[string]any) string {
	for _, name := range []string{"url", "name", "app", "server", "host", "id", "ip", "zone", "database"} {
		if text, ok := args[name].(string); ok && text != "" {
			return call + " " + text
		}
	}
	return call
}

// Predict counts a change.
func (w *Way) Predict(call string, args map[string]any) {
	if w == nil {
		return
	}
	text, err := json.Marshal(args)
	if err != nil {
		text = nil // what cannot be written tells nothing apart
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes++
	w.digest = sha256.Sum256(append(append(w.digest[:], call...), text...))
}

// name is what an answer is kept under.
func (w *Way) name(key, call string, args map[string]any) string {
	text, err := json.Marshal(args)
	if err != nil {
		return ""
	}
	return key + "\x00" + call + "\x00" + string(text) + "\x00" + hex.EncodeToString(w.digest[:])
}

// Known is the answer of an earlier way to the same call after the same
// changes.
func (w *Way) Known(key, call string, args map[string]any) (journal.Outcome, bool) {
	if w == nil {
		return journal.Outcome{}, false
	}
	w.mu.Lock()
	name := w.name(key, call, args)
	w.mu.Unlock()
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	out, ok := w.book.known[name]
	return out, ok && name != ""
}

// Keep remembers the answer to a call that was made.
func (w *Way) Keep(out journal.Outcome) error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	name := w.name(out.Key, out.Call, out.Args)
	w.mu.Unlock()
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	w.book.known[name] = out
	if out.Effect != binding.Reads.String() || binding.HoldsPlanned(out.Args) {
		return nil
	}
	w.book.reads++
	return w.book.keep(out)
}

// Explore follows ways until each decision was answered in every manner, limit
// ways were followed, or enough says that it took too long. Those that differ from the first in one decision
// come before those that differ in two. leftOut counts what was not followed.
func Explore(ctx context.Context, book *Book, limit int, enough func() bool, follow func(context.Context, *Way) error) (ways []*Way, leftOut int, err error) {
	queue := []map[string]int{{}}
	for len(queue) > 0 {
		if len(ways) == limit || len(ways) > 0 && enough() {
			return ways, leftOut + len(queue), nil
		}
		forced := queue[0]
		queue = queue[1:]
		way := NewWay(book, forced)
		if err := follow(ctx, way); err != nil {
			return ways, leftOut + len(queue), err
		}
		ways = append(ways, way)
		leftOut += way.leftOut
		before := map[string]int{}
		for _, d := range way.decided {
			if _, told := forced[d.Key]; !told {
				for choice := range d.Choices {
					if choice != d.Choice {
						other := maps.Clone(before)
						other[d.Key] = choice
						queue = append(queue, other)
					}
				}
			}
			before[d.Key] = d.Choice
		}
	}
	return ways, leftOut, nil
}
