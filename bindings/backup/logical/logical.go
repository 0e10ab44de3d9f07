// Package logical makes, checks and restores dumps of single databases with
// pg_dump and pg_restore. It must never put a restored database in place before
// it was compared with what was dumped, never drop a database that it did not
// make itself, and never take a dump for complete because a program ended.
package logical

import (
	"context"
	"errors"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Names of the artifacts, without their layers' endings.
const (
	DumpName    = "dump.pgdump"
	GlobalsName = "globals.sql"
)

// Engine is what dumps and restores work with.
type Engine struct {
	Catalogue  *catalogue.Catalogue
	Seal       artifact.Seal
	Recipients []string                      // the seal's, as text
	Keys       func() (artifact.Keys, error) // asked when something encrypted is read
	Way        postgres.Way
	Tools      func(ctx context.Context, needed int) (postgres.Tools, error)
	// ServerTools are those of a server of our own, for trial restores.
	ServerTools func(ctx context.Context, needed int) (postgres.Tools, error)
	Clock       clock.Clock
	Scratch     string        // folder for what pg_restore has to read from a file; the system's when empty
	LockWait    time.Duration // how long to wait for another one at work on the same backups
}

// keys returns the keys for a backup: none when it needs none.
func (e *Engine) keys(b catalogue.Backup) (artifact.Keys, error) {
	for _, f := range b.Files {
		if f.Encryption != "" {
			return e.Keys()
		}
	}
	return artifact.Keys{}, nil
}

// Because makes a fault of err, and prefers the reason why work was stopped to
// its symptom. The limit of the call itself is not passing: another try would
// take as long.
func Because(ctx context.Context, err error, op string) *fault.Fault {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	f := postgres.Fault(err, op)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		f.Message, f.Hint, f.Transient = "it was not complete in time and was stopped", "raise `within`", false
	}
	return f
}
