package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
)

// doomedName is the object in a backup's folder that says that the holder of
// the subject's lock is about to delete it: the lock's nonce. A nonce of
// anybody else means nothing.
const doomedName = "doomed"

// Pin keeps a backup, and what it needs, from being deleted while it is read.
type Pin struct{ leases []*Lease }

// Pin pins a backup. The returned context ends when that cannot be kept up. A
// backup that is just being deleted is a conflict: of the two, each announces
// itself before it looks for the other, so that one of them always gives way.
func (c *Catalogue) Pin(ctx context.Context, b Backup, what string) (*Pin, context.Context, error) {
	pin := &Pin{}
	held := ctx
	for _, id := range append([]string{b.ID}, b.Needs...) {
		h := c.holder(what)
		text, err := encode(h)
		if err != nil {
			return nil, nil, errors.Join(err, pin.Release(ctx))
		}
		name := "pins/" + id + "/" + h.Nonce + ".json"
		if err := c.Store.Create(ctx, name, bytes.NewReader(text)); err != nil {
			return nil, nil, errors.Join(err, pin.Release(ctx))
		}
		var lease *Lease
		lease, held = c.hold(held, name, h, func(context.Context) error { return nil })
		pin.leases = append(pin.leases, lease)
	}
	if err := c.stillThere(ctx, b); err != nil {
		return nil, nil, errors.Join(err, pin.Release(ctx))
	}
	return pin, held, nil
}

func (c *Catalogue) stillThere(ctx context.Context, b Backup) error {
	nonce, err := c.read(ctx, b.Folder+"/"+doomedName)
	if err == nil {
		by, living, err := c.holdsNow(ctx, b.Subject, string(nonce))
		if err != nil {
			return err
		}
		if living {
			return fault.New(fault.Conflict, "the backup %s is being deleted by %s", b.ID, by).WithHint("take another one: backup.list")
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if _, err := c.Store.Stat(ctx, b.Folder+"/"+ManifestName); errors.Is(err, store.ErrNotFound) {
		return fault.New(fault.NotFound, "the backup %s was deleted just now", b.ID).WithHint("take another one: backup.list")
	} else if err != nil {
		return err
	}
	return nil
}

// Release takes the pin off. It works on when ctx has ended.
func (p *Pin) Release(ctx context.Context) error {
	ctx, cancel := aside(ctx)
	defer cancel()
	var all error
	for _, l := range p.leases {
		l.halt()
		all = errors.Join(all, l.catalogue.Store.Delete(ctx, l.name))
	}
	return all
}

// Pins returns who reads which backup now, by id, and removes the pins of
// those that have died.
func (c *Catalogue) Pins(ctx context.Context) (map[string][]Holder, error) {
	return c.pins(ctx, func(name string) (Holder, bool, error) {
		h, living, err := c.alive(ctx, name)
		if err == nil && !living {
			err = c.Store.Delete(ctx, name)
		}
		return h, living, err
	})
}

// PinsSeen returns the pins without writing anything, and so without knowing
// whether their holders live.
func (c *Catalogue) PinsSeen(ctx context.Context) (map[string][]Holder, error) {
	return c.pins(ctx, func(name string) (h Holder, there bool, err error) {
		text, err := c.read(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			return h, false, nil
		}
		if json.Unmarshal(text, &h) != nil {
			h.Owner = "somebody"
		}
		return h, true, err
	})
}

func (c *Catalogue) pins(ctx context.Context, judge func(name string) (Holder, bool, error)) (map[string][]Holder, error) {
	found, err := c.Store.List(ctx, "pins/")
	if err != nil {
		return nil, err
	}
	pinned := map[string][]Holder{}
	for _, i := range found {
		id, _, ok := strings.Cut(strings.TrimPrefix(i.Name, "pins/"), "/")
		if !ok {
			continue
		}
		h, counts, err := judge(i.Name)
		if err != nil {
			return nil, err
		}
		if counts {
			pinned[id] = append(pinned[id], h)
		}
	}
	return pinned, nil
}

// Remove deletes a backup under the lock of its subject: it announces itself,
// looks for pins, and then the manifest goes first. One that is pinned stays,
// and the holder is returned.
func (c *Catalogue) Remove(ctx context.Context, lock *Lock, b Backup) (*Holder, error) {
	doomed := b.Folder + "/" + doomedName
	if err := c.Store.Put(ctx, doomed, bytes.NewReader([]byte(lock.Nonce))); err != nil {
		return nil, err
	}
	pinned, err := c.Pins(ctx)
	if err == nil {
		err = lock.Held(ctx)
	}
	if by := pinned[b.ID]; err != nil || len(by) > 0 {
		err = errors.Join(err, c.Store.Delete(ctx, doomed))
		if len(by) > 0 {
			return &by[0], err
		}
		return nil, err
	}
	return nil, c.clear(ctx, b.Folder)
}

// Clear removes what an attempt that was cut off has left, under the lock of
// its subject: nobody can be at work on it.
func (c *Catalogue) Clear(ctx context.Context, lock *Lock, left Incomplete) error {
	if err := lock.Held(ctx); err != nil {
		return err
	}
	if _, err := c.Store.Stat(ctx, left.Folder+"/"+ManifestName); !errors.Is(err, store.ErrNotFound) {
		return err // it was completed meanwhile
	}
	return c.clear(ctx, left.Folder)
}

// Subjects are those of backups and attempts, sorted.
func Subjects(all []Backup, left []Incomplete) []string {
	var found []string
	for _, b := range all {
		found = append(found, b.Subject)
	}
	for _, i := range left {
		found = append(found, i.Subject)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
