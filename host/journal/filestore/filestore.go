// Package filestore keeps runs as folders of one machine:
//
//	<state>/runs/<run-id>/journal.jsonl   the chain, append-only
//	<state>/runs/<run-id>/journal.head    how far the chain reaches at least
//	<state>/runs/<run-id>/holder.json     who holds the run now
//	<state>/runs/<run-id>/...             what others keep beside it
//
// It locks the run's folder, not the file, because a lock follows the inode.
// It must never acknowledge a synced record that is not on the disk, never
// write after a failed write, never create a run that is missing and never
// alter a line that ends in a newline. Network file systems are out of scope:
// their locks and syncs do not hold what they promise.
package filestore

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
)

const (
	runsFolder  = "runs"
	journalFile = "journal.jsonl"
	holderFile  = "holder.json"
)

// Store is a journal.Store over a folder.
type Store struct {
	state string
	clock clock.Clock
	disk  Disk
}

// New returns the store over the folder state, which is made by the first
// Create. Times of records come from c.
func New(state string, c clock.Clock) *Store { return On(System{}, state, c) }

// On is New over a disk of the caller's.
func On(disk Disk, state string, c clock.Clock) *Store {
	return &Store{state: state, clock: c, disk: disk}
}

var _ journal.Store = (*Store)(nil)

var validRun = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Path is the folder of a run, whether it exists or not.
func (s *Store) Path(run string) string { return filepath.Join(s.state, runsFolder, run) }

func (s *Store) journal(run string) string { return filepath.Join(s.Path(run), journalFile) }

// Create makes an empty run and takes its lease with epoch 1. It returns
// journal.ErrExists when the id is taken. When it returns, a power loss cannot
// take the empty run back any more.
func (s *Store) Create(ctx context.Context, run string, by journal.Holder) (journal.Log, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !validRun.MatchString(run) {
		return nil, fmt.Errorf("create run %q: an id is made of letters, digits, dots, dashes and underscores", run)
	}
	if err := makeFolders(s.disk, filepath.Join(s.state, runsFolder)); err != nil {
		return nil, fmt.Errorf("create run %s: %w", run, err)
	}
	if err := s.disk.Mkdir(s.Path(run)); err != nil && (!errors.Is(err, fs.ErrExist) || s.exists(run) == nil) {
		if errors.Is(err, fs.ErrExist) {
			err = journal.ErrExists
		}
		return nil, fmt.Errorf("create run %s: %w", run, err)
	}
	// A folder without a journal is what a creation left that died on its way.
	by.Epoch = 1
	lease, err := takeLease(s.Path(run), by)
	if err != nil {
		return nil, fmt.Errorf("create run %s: %w", run, err)
	}
	if s.exists(run) == nil { // somebody else was faster
		return nil, errors.Join(fmt.Errorf("create run %s: %w", run, journal.ErrExists), lease.release())
	}
	l := &log{run: run, clock: s.clock, lease: lease, epoch: 1, prev: journal.Genesis(run)}
	if err := s.startFile(l); err != nil {
		// Nobody has been told of the run yet, so half of one may go again.
		return nil, errors.Join(fmt.Errorf("create run %s: %w", run, err), os.RemoveAll(s.Path(run)), lease.release())
	}
	return l, nil
}

func (s *Store) startFile(l *log) error {
	err := s.disk.Make(s.journal(l.run))
	if err != nil {
		return err
	}
	if l.file, err = s.disk.Append(s.journal(l.run)); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return errors.Join(err, l.file.Close())
	}
	l.heads = openHead(s.Path(l.run))
	if err := errors.Join(s.disk.SyncFolder(s.Path(l.run)), s.disk.SyncFolder(filepath.Dir(s.Path(l.run)))); err != nil {
		return errors.Join(err, l.file.Close(), l.closeHead())
	}
	return nil
}

// Open takes the lease of a run: it verifies the chain, cuts off a torn tail
// (recorded as tail_repaired) and appends lease_taken with the next epoch,
// synced. Errors: journal.ErrNotFound, *journal.HeldError,
// *journal.DamagedError, and those of the disk.
func (s *Store) Open(ctx context.Context, run string, by journal.Holder) (journal.Log, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.exists(run); err != nil {
		return nil, fmt.Errorf("open run %s: %w", run, err)
	}
	lease, err := takeLease(s.Path(run), by)
	if err != nil {
		return nil, fmt.Errorf("open run %s: %w", run, err)
	}
	l, err := s.takeOver(run, by, lease)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open run %s: %w", run, err), lease.release())
	}
	return l, nil
}

// takeOver continues the chain of a run whose lock is held.
func (s *Store) takeOver(run string, by journal.Holder, lease *lease) (*log, error) {
	records, tail, err := s.verify(run)
	if err != nil {
		return nil, err
	}
	l := &log{run: run, clock: s.clock, lease: lease, epoch: 2, prev: journal.Genesis(run), records: records}
	if n := len(records); n > 0 {
		last := records[n-1]
		l.seq, l.prev, l.epoch = last.Seq, last.Hash, last.Epoch+1
	}
	by.Epoch = l.epoch
	if err := lease.name(by); err != nil {
		return nil, err
	}
	if len(tail.Torn) > 0 {
		if err := s.disk.Cut(s.journal(run), tail.Offset); err != nil {
			return nil, err
		}
	}
	if l.file, err = s.disk.Append(s.journal(run)); err != nil {
		return nil, err
	}
	l.heads = openHead(s.Path(run))
	if err := l.announce(by, tail); err != nil {
		return nil, errors.Join(err, l.file.Close(), l.closeHead())
	}
	return l, nil
}

// Read returns the records of a run without its lease. A torn last line is
// left out. Errors: journal.ErrNotFound, *journal.DamagedError together with
// the records before the damage, and those of the disk.
func (s *Store) Read(ctx context.Context, run string) ([]journal.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.exists(run); err != nil {
		return nil, fmt.Errorf("read run %s: %w", run, err)
	}
	records, _, err := s.verify(run)
	if err != nil {
		return records, fmt.Errorf("read run %s: %w", run, err)
	}
	return records, nil
}

func (s *Store) exists(run string) error {
	if !validRun.MatchString(run) {
		return journal.ErrNotFound
	}
	_, err := os.Stat(s.journal(run))
	if errors.Is(err, fs.ErrNotExist) {
		return journal.ErrNotFound
	}
	return err
}

func (s *Store) verify(run string) ([]journal.Record, journal.Tail, error) {
	return Verify(s.Path(run), run)
}

// List returns the ids of all runs by the time of their first record, the
// newest last. A run that has none yet counts by the age of its journal.
func (s *Store) List(ctx context.Context) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.state, runsFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var ids []string
	began := map[string]time.Time{}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !e.IsDir() || !validRun.MatchString(e.Name()) {
			continue
		}
		at, err := s.began(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // a folder without a journal is no run
		}
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		ids = append(ids, e.Name())
		began[e.Name()] = at
	}
	sort.Slice(ids, func(i, j int) bool {
		if a, b := began[ids[i]], began[ids[j]]; !a.Equal(b) {
			return a.Before(b)
		}
		return ids[i] < ids[j]
	})
	return ids, nil
}

func (s *Store) began(run string) (time.Time, error) {
	f, err := os.Open(s.journal(run))
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close() // read-only: nothing can be lost here
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	line, err := bufio.NewReader(f).ReadBytes('\n')
	if err != nil {
		return info.ModTime(), nil // nothing whole in it yet
	}
	records, _, err := journal.Verify(run, bytes.NewReader(line))
	if err != nil || len(records) == 0 {
		return info.ModTime(), nil // listed all the same: show and verify say what is wrong
	}
	return records[0].Time, nil
}
