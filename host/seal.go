package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// A run keeps the script that it started with as source/NAME.lua, and one that
// was edited meanwhile as source/HASH-NAME.lua. A script is durable before the
// journal speaks of it, and none is ever overwritten: whenever the run dies,
// the one that the journal names is there.

func sealedPath(folder, runbook, hash string) string {
	return filepath.Join(folder, "source", hash[:min(len(hash), 12)]+"-"+filepath.Base(runbook))
}

// seal keeps the source as it was when the run started.
func seal(folder string, source sandbox.Source) error {
	return keep(filepath.Join(folder, "source", filepath.Base(source.File)), source.Text)
}

// sealEdited keeps an edited source beside it.
func sealEdited(folder string, source sandbox.Source) error {
	return keep(sealedPath(folder, source.File, hash(source)), source.Text)
}

// unseal returns the script whose hash the journal names last.
func unseal(folder string, started journal.Started, known string) (sandbox.Source, error) {
	first := filepath.Join(folder, "source", filepath.Base(started.Runbook))
	path := sealedPath(folder, started.Runbook, known)
	text, err := os.ReadFile(path)
	if known == started.SourceHash || errors.Is(err, fs.ErrNotExist) { // older versions kept the edited one in place of the first
		path = first
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return sandbox.Source{}, fmt.Errorf("read the sealed runbook: %w", err)
	}
	sealed := sandbox.Source{File: started.Runbook, Text: text}
	if hash(sealed) != known {
		return sealed, fmt.Errorf("%s is not what the journal sealed; it was changed after the fact", path)
	}
	return sealed, nil
}

// keep writes a file that a power loss cannot take back.
func keep(path string, text []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".sealing-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when the rename worked
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(dir), syncFolder(filepath.Dir(dir)))
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
