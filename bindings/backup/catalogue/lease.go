package catalogue

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// DefaultTerm is how long a lease lives without being renewed.
const DefaultTerm = 2 * time.Minute

// Holder is what a lock or a pin says.
type Holder struct {
	Owner    string    `json:"owner"` // who, on which machine
	What     string    `json:"what"`  // what it does
	Since    time.Time `json:"since"` // by its own clock; for people only
	Nonce    string    `json:"nonce"`
	Call     string    `json:"call,omitempty"`      // key of the call that took it; "" outside of runs
	Term     float64   `json:"term_seconds"`        // it lives as long after it was last written
	Renewed  int       `json:"renewed"`             // how often
	Released bool      `json:"released,omitempty"`  // given back
	TookOver *Holder   `json:"took_over,omitempty"` // from whom, when that one had died
	Process  string    `json:"process,omitempty"`   // for those who can see whether it lives
}

func (h Holder) String() string {
	return h.Owner + " (" + h.What + ", since " + h.Since.UTC().Format("2006-01-02 15:04:05Z") + ")"
}

// Lease is an object that is written again and again while its holder lives.
// Whether it does is judged by the repository's own clock alone: how long ago
// the object was written, against an object that is written now.
type Lease struct {
	Holder
	catalogue *Catalogue
	name      string
	stop      context.CancelFunc
	done      chan struct{}
	mu        sync.Mutex
	lost      error
}

func (c *Catalogue) term() time.Duration {
	if c.Term > 0 {
		return c.Term
	}
	return DefaultTerm
}

func (c *Catalogue) holder(what string) Holder {
	return Holder{Owner: c.Owner, What: what, Since: c.Clock.Now().UTC(), Nonce: rand.Text(), Term: c.term().Seconds(), Process: process()}
}

// hold renews an object until Release, or until it cannot be renewed for so
// long that others may take it for dead, or confirm says that they did: then
// the returned context ends.
func (c *Catalogue) hold(ctx context.Context, name string, h Holder, confirm func(context.Context) error) (*Lease, context.Context) {
	held, lose := context.WithCancelCause(ctx)
	renewing, stop := context.WithCancel(held)
	l := &Lease{Holder: h, catalogue: c, name: name, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		last := clock.System{}.Now()
		// Not the environment's clock: this is no wait that a drill could cut.
		for (clock.System{}).Sleep(renewing, c.term()/4) == nil {
			l.Renewed++
			err := l.write(renewing)
			now := clock.System{}.Now()
			if err == nil {
				last, err = now, confirm(renewing)
			}
			if renewing.Err() != nil || err == nil || now.Sub(last) < c.term()*3/4 && fault.KindOf(err) != fault.Conflict {
				continue
			}
			l.fail(fault.New(fault.Unavailable, "the hold on %s could not be renewed: %v", name, err))
			lose(l.Lost())
			return
		}
	}()
	return l, held
}

func (l *Lease) write(ctx context.Context) error {
	text, err := encode(l.Holder)
	if err != nil {
		return err
	}
	return l.catalogue.Store.Put(ctx, l.name, bytes.NewReader(text))
}

func (l *Lease) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = err
}

// Lost tells why the lease does not hold any more, or nil.
func (l *Lease) Lost() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// halt stops the renewal.
func (l *Lease) halt() {
	l.stop()
	<-l.done
}

// aside is a context for giving back what ctx, which may have ended, held.
func aside(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
}

// Now is the time by the repository's clock.
func (c *Catalogue) Now(ctx context.Context) (time.Time, error) {
	name := "locks/now/" + rand.Text()
	if err := c.Store.Put(ctx, name, bytes.NewReader(nil)); err != nil {
		return time.Time{}, err
	}
	info, err := c.Store.Stat(ctx, name)
	return info.Modified, errors.Join(err, c.Store.Delete(ctx, name))
}

// granularity is how exactly places tell when an object was written.
const granularity = 2 * time.Second

// alive reads who holds an object and whether that one lives. An object that
// is gone is held by nobody; one that cannot be read lives for the term.
func (c *Catalogue) alive(ctx context.Context, name string) (Holder, bool, error) {
	info, err := c.Store.Stat(ctx, name)
	var text []byte
	if err == nil {
		text, err = c.read(ctx, name)
	}
	if errors.Is(err, store.ErrNotFound) {
		return Holder{}, false, nil
	}
	if err != nil {
		return Holder{}, false, err
	}
	var h Holder
	if json.Unmarshal(text, &h) != nil || h.Term <= 0 {
		h = Holder{Owner: "somebody", What: name + " cannot be read", Term: c.term().Seconds()}
	}
	if h.Released || dead(h.Process) {
		return h, false, nil
	}
	now, err := c.Now(ctx)
	if err != nil {
		return h, false, err
	}
	return h, now.Sub(info.Modified) <= time.Duration(h.Term*float64(time.Second))+granularity, nil
}
