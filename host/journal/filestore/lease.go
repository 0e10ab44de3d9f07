package filestore

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/webhost-systems/drhost/host/journal"
)

// lease is the lock on a run's folder. The kernel gives it back when the
// process dies; holder.json only tells others who it was.
type lease struct {
	dir    *os.File
	folder string
}

// takeLease locks folder for by, or returns *journal.HeldError. It never
// waits.
func takeLease(folder string, by journal.Holder) (*lease, error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("lock the run: %w", err)
	}
	err = flock(dir, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(&journal.HeldError{Holder: readHolder(folder)}, dir.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the run: %w", err), dir.Close())
	}
	l := &lease{dir: dir, folder: folder}
	if err := l.name(by); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// name writes who holds the run, atomically, so that a second one never reads
// half of it. It is not synced: after a power loss nobody holds the run.
func (l *lease) name(by journal.Holder) error {
	text, err := json.Marshal(by)
	if err != nil {
		return fmt.Errorf("name the run's holder: %w", err)
	}
	fresh := filepath.Join(l.folder, holderFile+".new")
	if err := os.WriteFile(fresh, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("name the run's holder: %w", err)
	}
	if err := os.Rename(fresh, filepath.Join(l.folder, holderFile)); err != nil {
		return fmt.Errorf("name the run's holder: %w", err)
	}
	return nil
}

// readHolder returns who holds the run; a holder that has locked it but has
// not named itself yet is "somebody".
func readHolder(folder string) journal.Holder {
	by := journal.Holder{Operator: "somebody", Host: "this machine"}
	text, err := os.ReadFile(filepath.Join(folder, holderFile))
	if err != nil {
		return by
	}
	var named journal.Holder
	if err := json.Unmarshal(text, &named); err != nil {
		return by
	}
	return named
}

// release gives the lock back. The name goes first, so that it never names
// one who holds nothing while another one does.
func (l *lease) release() error {
	err := os.Remove(filepath.Join(l.folder, holderFile))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.dir.Close())
}
