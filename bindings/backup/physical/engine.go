package physical

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Engine is what copies of clusters are made, checked and restored with.
type Engine struct {
	Catalogue  *catalogue.Catalogue
	Seal       artifact.Seal
	Recipients []string                      // the seal's, as text
	Keys       func() (artifact.Keys, error) // asked when something encrypted is read
	Way        postgres.Way
	Tools      func(ctx context.Context, major int) (postgres.Tools, error) // of that very version
	Clock      clock.Clock
	Scratch    string        // folder with room for an unpacked cluster; the system's when empty
	User       string        // role to look into a restored cluster with
	LockWait   time.Duration // how long to wait for another one at work on the same backups
}

// Copy is a base backup that is to be made.
type Copy struct {
	Server  postgres.Server
	Host    string // as the call named it
	Cluster string // what the backups are called
	Label   string
	Key     string // idempotency key of the call
}

// Copy backs a cluster up, or leaves nothing. An error that says NotDone is
// certain of that.
func (e *Engine) Copy(ctx context.Context, c Copy) (catalogue.Backup, error) {
	op := "back up the cluster " + c.Cluster + " of " + c.Host
	lock, held, err := e.Catalogue.Lock(ctx, c.Cluster, "backup of "+c.Cluster, e.LockWait)
	if err != nil {
		return catalogue.Backup{}, because(ctx, err, op).NothingDone()
	}
	b, folder, err := e.copy(held, lock, c)
	if err != nil && held.Err() != nil {
		err = context.Cause(held)
	}
	_ = lock.Release(ctx) // one that is not given back runs out by itself
	if err == nil {
		return b, nil
	}
	f := because(ctx, err, op)
	if folder != "" && e.Catalogue.Discard(ctx, folder) != nil {
		return catalogue.Backup{}, f // a manifest may be there
	}
	return catalogue.Backup{}, f.NothingDone()
}

// copy does it under the lock. The folder is returned once it may hold
// something.
func (e *Engine) copy(ctx context.Context, lock *catalogue.Lock, c Copy) (catalogue.Backup, string, error) {
	started := e.Clock.Now().UTC()
	tail := catalogue.Suffix(c.Key)
	if c.Key == "" {
		tail = catalogue.Suffix(c.Host + started.String())
	}
	// The moment up to which it reaches is known at its end only.
	id := catalogue.NewID(started, tail)
	folder, err := e.Catalogue.Begin(ctx, c.Cluster, id)
	if err != nil {
		return catalogue.Backup{}, "", err
	}
	base, files, err := Take(ctx, Source{Way: e.Way, Server: c.Server, Clock: e.Clock}, e.Catalogue.Store, folder, c.Label, e.Seal)
	if err != nil {
		return catalogue.Backup{}, folder, err
	}
	m := catalogue.Manifest{ID: id, Kind: catalogue.Physical, Subject: c.Cluster, Label: c.Label, Key: c.Key, Recipients: e.Recipients, Started: started, Finished: e.Clock.Now().UTC(),
		Until: base.Until, Server: catalogue.Origin{Host: c.Host, Version: base.Version, Major: base.Major}, Tool: base.Version, ToolMajor: base.Major, Files: files,
		Base: &catalogue.Base{System: base.System, Timeline: base.Timeline, Start: base.Start, Stop: base.Stop, Exact: base.Exact.UTC(), SegmentSize: base.SegmentSize,
			PlainBytes: base.PlainBytes, Databases: base.Databases}}
	m.Restore = Commands(m)
	if err := lock.Held(ctx); err != nil {
		return catalogue.Backup{}, folder, err
	}
	b, err := e.Catalogue.Publish(ctx, folder, m)
	return b, folder, err
}

// because prefers the reason why work was stopped to its symptom.
func because(ctx context.Context, err error, op string) *fault.Fault {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	f := postgres.Fault(err, op)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		f.Message, f.Hint, f.Transient = "it was not complete in time and was stopped", "raise `within`", false
	}
	return f
}

// Chain is a backup of the catalogue and the log that goes on from it.
func (e *Engine) Chain(ctx context.Context, b catalogue.Backup, timeline uint32) (*Chain, error) {
	if b.Kind != catalogue.Physical || b.Base == nil {
		return nil, fault.New(fault.Invalid, "%s is no copy of a cluster but a backup of kind %s", b.ID, b.Kind).WithHint("backup.restore restores it")
	}
	if b.Damaged() {
		return nil, fault.New(fault.Failed, "%s is damaged: %s", b.ID, b.Checks.Reason).NothingDone().WithHint(artifact.Another)
	}
	keys := artifact.Keys{}
	if len(b.Recipients) > 0 || len(e.Recipients) > 0 {
		var err error
		if keys, err = e.Keys(); err != nil {
			return nil, err
		}
	}
	return Follow(ctx, Log{Store: e.Catalogue.Store, Keys: keys}, Cataloged(b), timeline)
}

// Cataloged is a copy of a cluster as the catalogue has it; its Base is set.
func Cataloged(b catalogue.Backup) Backup {
	return Backup{ID: b.ID, Folder: b.Folder, Files: b.Files, Base: Base{System: b.Base.System, Timeline: b.Base.Timeline, Start: b.Base.Start, Stop: b.Base.Stop,
		SegmentSize: b.Base.SegmentSize, Databases: b.Base.Databases, Version: b.Server.Version, Major: b.Server.Major, PlainBytes: b.Base.PlainBytes, Until: b.Until, Exact: b.Base.Exact}}
}

// Verify checks a backup and the log that goes on from it, as deep as depth
// says, and notes what it finds in the repository.
func (e *Engine) Verify(ctx context.Context, b catalogue.Backup, depth string) (Found, error) {
	pin, held, err := e.Catalogue.Pin(ctx, b, "verification of "+b.ID)
	if err != nil {
		return Found{}, err
	}
	found, err := e.verify(held, b, depth)
	if errors.Is(err, artifact.ErrDamaged) && held.Err() == nil && e.ownFault(ctx, b) {
		_ = e.Catalogue.Condemn(ctx, b, fault.As(err).Message) // the finding itself goes to the caller
	}
	_ = pin.Release(ctx) // one that cannot be taken off runs out by itself
	return found, err
}

// ownFault tells whether the damage is the backup's own: that of the log is no
// reason to give the backup up.
func (e *Engine) ownFault(ctx context.Context, b catalogue.Backup) bool {
	for _, f := range b.Files {
		if errors.Is(artifact.Check(ctx, e.Catalogue.Store, b.Folder, f), artifact.ErrDamaged) {
			return true
		}
	}
	return false
}

func (e *Engine) verify(ctx context.Context, b catalogue.Backup, depth string) (Found, error) {
	chain, err := e.Chain(ctx, b, 0)
	if err != nil {
		return Found{}, err
	}
	if _, err := chain.Sums(ctx); err != nil {
		return Found{}, err
	}
	if depth == catalogue.DepthSums {
		return Found{Compared: []string{"checksums"}}, e.Catalogue.Praise(ctx, b, depth)
	}
	shop, done, err := e.workshop(ctx, b)
	if err != nil {
		return Found{}, err
	}
	defer done()
	if depth == catalogue.DepthRead {
		if err := chain.Read(ctx, shop); err != nil {
			return Found{}, err
		}
		found := Found{Compared: []string{"checksums", "pg_verifybackup", "every record of the log"}}
		return found, e.Catalogue.Praise(ctx, b, depth, found.Compared...)
	}
	found, err := chain.Restored(ctx, shop, Target{}, func(context.Context, *pgx.Conn, string) error { return nil })
	if err != nil {
		return found, err
	}
	return found, e.Catalogue.Praise(ctx, b, catalogue.DepthRestored, found.Compared...)
}

// workshop makes a folder to work in; done removes it.
func (e *Engine) workshop(ctx context.Context, b catalogue.Backup) (w Workshop, done func(), err error) {
	tools, err := e.Tools(ctx, b.Server.Major)
	if err != nil {
		return w, nil, err
	}
	as, err := postgres.Unprivileged()
	if err != nil {
		return w, nil, err
	}
	outer, err := postgres.TempFolder(e.Scratch, "drhost-trial-", as)
	if err == nil {
		err = os.Chmod(outer, 0o711) // the server's user goes through it
	}
	if err != nil {
		return w, nil, err
	}
	return Workshop{Folder: outer + "/data", Tools: tools, As: as, Clock: e.Clock, User: e.User}, func() { os.RemoveAll(outer) }, nil
}
