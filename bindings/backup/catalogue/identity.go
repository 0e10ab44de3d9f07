package catalogue

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
)

// IdentityName is the object by which a repository is told from the empty
// folder in which its disk is not mounted.
const IdentityName = "repository.json"

// Identity is what a repository says of itself. It never changes.
type Identity struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since"` // for people only
}

// ReadIdentity returns nil where nothing was ever stored, and of a repository
// that is older than identities.
func ReadIdentity(ctx context.Context, from store.Store) (*Identity, error) {
	in, err := from.Open(ctx, IdentityName, 0)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, 1<<16))
	if err != nil {
		return nil, err
	}
	var i Identity
	if err := json.Unmarshal(text, &i); err != nil || i.ID == "" {
		return nil, fault.New(fault.Failed, "%s in the repository %s is damaged", IdentityName, from.Place()).NothingDone().
			WithHint("what it says is in the state folder of whoever has used it: repositories/*.json; put it back, or remove both to call the repository a new one")
	}
	return &i, nil
}

// Identify returns a repository's identity and gives it one if it has none. Of
// several at once one wins.
func Identify(ctx context.Context, to store.Store, now time.Time) (*Identity, error) {
	if i, err := ReadIdentity(ctx, to); i != nil || err != nil {
		return i, err
	}
	text, err := encode(Identity{ID: rand.Text(), Since: now.UTC()})
	if err != nil {
		return nil, err
	}
	if err := to.Create(ctx, IdentityName, bytes.NewReader(text)); err != nil && !errors.Is(err, store.ErrExists) {
		return nil, err
	}
	return ReadIdentity(ctx, to)
}

// Present is a repository into which nothing is stored while what identifies it
// is not there: its disk may be gone, and its address lead into the folder
// below.
type Present struct{ store.Store }

// Put stores nothing where the repository is not.
func (p Present) Put(ctx context.Context, name string, content io.Reader) error {
	if err := p.there(ctx, name); err != nil {
		return err
	}
	return p.Store.Put(ctx, name, content)
}

// Create stores nothing where the repository is not.
func (p Present) Create(ctx context.Context, name string, content io.Reader) error {
	if err := p.there(ctx, name); err != nil {
		return err
	}
	return p.Store.Create(ctx, name, content)
}

func (p Present) there(ctx context.Context, name string) error {
	_, err := p.Stat(ctx, IdentityName)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return Gone(p.Place()).WithOp("store %s", name).WithHint("mount its disk; nothing is written until it is there")
}

// Gone says that a repository is not where it was. It is not for the gate to
// wait for somebody to mount a disk.
func Gone(place string) *fault.Fault {
	f := fault.New(fault.Unavailable, "the repository %s is not there: what is at its place has no %s. Is its disk mounted?", place, IdentityName).NothingDone()
	f.Transient = false
	return f
}

// reserveName is an object of no use but that it takes room: of a place that is
// full to the last byte, nothing could be deleted in order, because that takes a
// lock.
const reserveName = "locks/reserve"

const reserveBytes = 256 << 10

// Reserve makes sure that there is some room to give back.
func (c *Catalogue) Reserve(ctx context.Context) error {
	_, err := c.Store.Stat(ctx, reserveName)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	// Random, because there are places that compress.
	return c.Store.Put(ctx, reserveName, io.LimitReader(rand.Reader, reserveBytes))
}

// GiveWay frees the reserve.
func (c *Catalogue) GiveWay(ctx context.Context) error { return c.Store.Delete(ctx, reserveName) }
