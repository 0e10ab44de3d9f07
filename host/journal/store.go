package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Store keeps runs. Implementations: filestore; storetest holds the suite that
// each of them runs.
type Store interface {
	// Create makes an empty run and takes its lease. ErrExists when the id is
	// taken.
	Create(ctx context.Context, run string, by Holder) (Log, error)
	// Open takes the lease of an existing run: it verifies the chain, repairs
	// a torn tail (recording it) and appends lease_taken with the next epoch.
	// ErrNotFound, *HeldError, *DamagedError. A missing run is never created.
	Open(ctx context.Context, run string, by Holder) (Log, error)
	// Read returns the records of a run without taking the lease. A torn last
	// line of a run that is being written is left out, not repaired.
	Read(ctx context.Context, run string) ([]Record, error)
	// List returns the ids of all runs, the newest last.
	List(ctx context.Context) ([]string, error)
	// Path is the folder that holds the run's other files (source, reports).
	Path(run string) string
}

// Log is one run, held by this process.
type Log interface {
	// Append writes one record. With sync it returns only when a power loss
	// cannot take it back any more; a synced append also makes every earlier
	// one durable. After a failed write or sync every further append fails
	// with the same error: nothing is acknowledged until the run is reopened.
	Append(kind Kind, payload any, sync bool) (Record, error)
	// Records are those present when the run was opened.
	Records() []Record
	// Close syncs, gives the lease back and returns the first error.
	Close() error
}

var (
	ErrExists   = errors.New("there is a run of this id already")
	ErrNotFound = errors.New("there is no such run")
)

// HeldError says who holds the run.
type HeldError struct{ Holder Holder }

func (e *HeldError) Error() string {
	return fmt.Sprintf("the run is held by %s on %s (process %d)", e.Holder.Operator, e.Holder.Host, e.Holder.PID)
}

// DamagedError says where the chain breaks. Line counts from 1.
type DamagedError struct {
	Path   string
	Line   int
	Reason string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s, line %d: %s", e.Path, e.Line, e.Reason)
}

// Decode reads the payload of r into a value of type P.
func Decode[P any](r Record) (P, error) {
	var p P
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return p, fmt.Errorf("record %d (%s): %w", r.Seq, r.Kind, err)
	}
	return p, nil
}
