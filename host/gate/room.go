package gate

import (
	"fmt"
	"sync/atomic"

	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/words"
)

// What one run may record. More is a loop that calls on and on, and would fill
// the disk that the journal needs.
const (
	maxRecords = words.MaxRecords
	maxBytes   = words.MaxJournal
)

// taken counts what the journal of a run holds.
type taken struct {
	records atomic.Int64
	bytes   atomic.Int64
}

func (t *taken) add(r journal.Record) {
	t.records.Add(1)
	t.bytes.Add(int64(len(r.Payload)))
}

// Room stops the run when its journal is full. It is asked before something
// new begins; what has begun is recorded in any case.
func (g *Gate) Room(site journal.Site) error {
	records, bytes := g.taken.records.Load(), g.taken.bytes.Load()
	if records < maxRecords && bytes < maxBytes {
		return nil
	}
	return &Stop{Why: Full, Text: fmt.Sprintf("%s: the run has written %d records of %d MiB in all, and a run may write %d records of %d MiB; it is stopped as one that goes on without end",
		site, records, bytes>>20, maxRecords, maxBytes>>20)}
}
