package catalogue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Lock is held by one process at a time: whoever makes, or takes away, backups
// of a subject. Its objects are numbered; the highest is the lock, and it is
// never deleted before a higher one exists, so that two who find a dead holder
// cannot both take over.
type Lock struct {
	*Lease
	catalogue *Catalogue
	folder    string
	epoch     int
}

// lockFolder holds the numbered objects of a subject's lock.
func lockFolder(subject string) string { return "locks/" + SubjectFolder(subject) + "/" }

func lockName(folder string, epoch int) string { return fmt.Sprintf("%s%010d.json", folder, epoch) }

// Lock takes the lock of a subject, and waits for it for at most wait. The
// returned context ends when the lock is lost. The fault of one that is held
// says by whom.
func (c *Catalogue) Lock(ctx context.Context, subject, what string, wait time.Duration) (*Lock, context.Context, error) {
	folder := lockFolder(subject)
	deadline := c.Clock.Now().Add(wait)
	said := ""
	for {
		lock, held, by, err := c.try(ctx, folder, what)
		if err != nil {
			return nil, nil, err
		}
		if lock != nil {
			return lock, held, nil
		}
		if !c.Clock.Now().Before(deadline) {
			return nil, nil, fault.New(fault.Conflict, "%s is at work on the backups of %s", by, subject).Passing().WithOp("lock the backups of %s", subject).
				WithHint("wait for it; one that has died is passed over after %s", c.term())
		}
		if by.Nonce != said {
			said = by.Nonce
			binding.Progress(ctx, "waiting for %s", by)
		}
		if err := c.Clock.Sleep(ctx, min(time.Second, c.term()/4)); err != nil {
			return nil, nil, err
		}
	}
}

// try takes the lock, or says who holds it.
func (c *Catalogue) try(ctx context.Context, folder, what string) (*Lock, context.Context, Holder, error) {
	highest, others, err := c.epochs(ctx, folder)
	if err != nil {
		return nil, nil, Holder{}, err
	}
	mine := c.holder(what)
	mine.Call = binding.Key(ctx)
	if highest > 0 {
		by, living, err := c.alive(ctx, lockName(folder, highest))
		// A run has one process at a time: one that took the lock for this very
		// call and has not given it back is an earlier life of it, and dead.
		if err != nil || living && (by.Call == "" || by.Call != mine.Call) {
			return nil, nil, by, err
		}
		if !by.Released {
			by.TookOver = nil // no chains
			mine.TookOver = &by
		}
	}
	text, err := encode(mine)
	if err != nil {
		return nil, nil, Holder{}, err
	}
	name := lockName(folder, highest+1)
	err = c.Store.Create(ctx, name, bytes.NewReader(text))
	if errors.Is(err, store.ErrExists) {
		by, _, err := c.alive(ctx, name) // somebody was faster
		return nil, nil, by, err
	}
	if err != nil {
		return nil, nil, Holder{}, err
	}
	// A higher one tells that highest was old when it was seen.
	if now, _, err := c.epochs(ctx, folder); err != nil || now != highest+1 {
		return nil, nil, Holder{Owner: "somebody else", What: "was faster"}, errors.Join(err, c.Store.Delete(ctx, name))
	}
	for _, epoch := range append(others, highest) {
		if epoch == 0 {
			continue
		}
		if err := c.Store.Delete(ctx, lockName(folder, epoch)); err != nil {
			break // it has no meaning any more; the next one removes it
		}
	}
	if mine.TookOver != nil {
		binding.Progress(ctx, "%s has died; its lock was taken over", mine.TookOver)
	}
	lock := &Lock{folder: folder, epoch: highest + 1, catalogue: c}
	var held context.Context
	lock.Lease, held = c.hold(ctx, name, mine, lock.confirm)
	return lock, held, Holder{}, nil
}

// epochs returns the highest number and the others.
func (c *Catalogue) epochs(ctx context.Context, folder string) (highest int, others []int, err error) {
	found, err := c.Store.List(ctx, folder)
	for _, i := range found {
		base := path.Base(i.Name)
		if n, err := strconv.Atoi(base[:len(base)-len(path.Ext(base))]); err == nil && n > 0 {
			if highest > 0 {
				others = append(others, highest)
			}
			highest = n // the list is sorted
		}
	}
	return highest, others, err
}

// Held asks the repository whether the lock is still this process's.
func (l *Lock) Held(ctx context.Context) error {
	if err := l.Lost(); err != nil {
		return err
	}
	return l.confirm(ctx)
}

func (l *Lock) confirm(ctx context.Context) error {
	highest, _, err := l.catalogue.epochs(ctx, l.folder)
	if err != nil || highest == l.epoch {
		return err
	}
	by, _, err := l.catalogue.alive(ctx, lockName(l.folder, highest))
	return errors.Join(fault.New(fault.Conflict, "the lock was lost to %s", by).WithHint("this process was held up for longer than %s; start it again", l.catalogue.term()), err)
}

// Release gives the lock back. It works on when ctx has ended.
func (l *Lock) Release(ctx context.Context) error {
	l.halt()
	ctx, cancel := aside(ctx)
	defer cancel()
	l.Released = true
	// Not deleted: the highest number has to stay known.
	return l.write(ctx)
}

// holdsNow tells whether nonce is of the living holder of a subject's lock.
func (c *Catalogue) holdsNow(ctx context.Context, subject, nonce string) (Holder, bool, error) {
	folder := lockFolder(subject)
	highest, _, err := c.epochs(ctx, folder)
	if err != nil || highest == 0 {
		return Holder{}, false, err
	}
	by, living, err := c.alive(ctx, lockName(folder, highest))
	return by, living && by.Nonce == nonce, err
}
