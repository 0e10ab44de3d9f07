package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/host/check"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// A run keeps the script that it started with as source/NAME.lua, and one that
// was edited meanwhile as source/HASH-NAME.lua; the std modules that it
// requires are kept in the same way in source/std. What is kept is durable
// before the journal speaks of it, and nothing is ever overwritten: whenever
// the run dies, what the journal names is there.

// bundle is a script with the std modules it may require.
type bundle struct {
	sandbox.Source
	std map[string][]byte
}

// bundle takes the std modules of this program.
func (h *Host) bundle(source sandbox.Source) bundle { return bundle{source, h.Std} }

// libraries are the hashes of the std modules that the script requires.
func (b bundle) libraries() map[string]string {
	out := map[string]string{}
	for _, name := range check.Libraries(b.Text, b.std) {
		out[name] = hashOf(b.std[name])
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// otherLibrary names the first of the std modules in known, by their hashes,
// that the script has otherwise today; "" when there is none.
func (b bundle) otherLibrary(known map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if today, ok := b.std[name]; !ok || hashOf(today) != known[name] {
			return name
		}
	}
	return ""
}

func hash(source sandbox.Source) string { return hashOf(source.Text) }

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func sourceFolder(folder string) string { return filepath.Join(folder, "source") }

func editedPath(folder, name, hash string) string {
	return filepath.Join(folder, hash[:min(len(hash), 12)]+"-"+name)
}

// seal keeps the script as it was when the run started.
func seal(folder string, b bundle) error {
	if err := keep(filepath.Join(sourceFolder(folder), filepath.Base(b.File)), b.Text); err != nil {
		return err
	}
	return sealLibraries(folder, b)
}

// sealEdited keeps an edited script beside it.
func sealEdited(folder string, b bundle) error {
	if err := keep(editedPath(sourceFolder(folder), filepath.Base(b.File), hash(b.Source)), b.Text); err != nil {
		return err
	}
	return sealLibraries(folder, b)
}

func libraryPath(folder, name string) (dir, file string) {
	return filepath.Join(sourceFolder(folder), "std"), strings.TrimPrefix(name, "std.") + ".lua"
}

func sealLibraries(folder string, b bundle) error {
	for name, hash := range b.libraries() {
		if _, err := unsealLibrary(folder, name, hash); err == nil {
			continue // it is there as it is
		}
		dir, file := libraryPath(folder, name)
		path := filepath.Join(dir, file)
		if _, err := os.Stat(path); err == nil {
			path = editedPath(dir, file, hash)
		}
		if err := keep(path, b.std[name]); err != nil {
			return err
		}
	}
	return nil
}

// seals names what the journal has sealed last.
type seals struct {
	hash      string
	libraries map[string]string
}

// lastSealed is what counts at the end of records.
func lastSealed(started journal.Started, records []journal.Record) (seals, error) {
	all, err := everSealed(started, records)
	return all[len(all)-1], err
}

// everSealed is what has counted, the first first.
func everSealed(started journal.Started, records []journal.Record) ([]seals, error) {
	all := []seals{{started.SourceHash, started.Libraries}}
	for _, r := range records {
		if r.Kind != journal.SourceChanged {
			continue
		}
		c, err := journal.Decode[journal.Change](r)
		if err != nil {
			return all, journalError(err)
		}
		all = append(all, seals{c.To, c.Libraries})
	}
	return all, nil
}

// unseal returns the script that the journal names as s. Std modules that were
// not sealed, as in older versions, are those of this program.
func (h *Host) unseal(folder string, started journal.Started, s seals) (bundle, error) {
	source, err := unseal(folder, started, s.hash)
	if err != nil {
		return bundle{}, err
	}
	b := bundle{source, maps.Clone(h.Std)}
	for name, hash := range s.libraries {
		text, err := unsealLibrary(folder, name, hash)
		if err != nil {
			return b, fmt.Errorf("read the sealed module %s: %w", name, err)
		}
		b.std[name] = text
	}
	return b, nil
}

func notSealed(path string) error {
	return fmt.Errorf("%s is not what the journal sealed; it was changed after the fact: put back an untouched copy", path)
}

// unseal returns the runbook whose hash is given.
func unseal(folder string, started journal.Started, known string) (sandbox.Source, error) {
	dir, name := sourceFolder(folder), filepath.Base(started.Runbook)
	path := editedPath(dir, name, known)
	text, err := os.ReadFile(path)
	if known == started.SourceHash || errors.Is(err, fs.ErrNotExist) { // older versions kept the edited one in place of the first
		path = filepath.Join(dir, name)
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return sandbox.Source{}, fmt.Errorf("read the sealed runbook: %w", err)
	}
	source := sandbox.Source{File: started.Runbook, Text: text}
	if hash(source) != known {
		return source, notSealed(path)
	}
	return source, nil
}

// unsealLibrary returns the std module that has the hash.
func unsealLibrary(folder, name, hash string) ([]byte, error) {
	dir, file := libraryPath(folder, name)
	path := editedPath(dir, file, hash)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		path = filepath.Join(dir, file)
		text, err = os.ReadFile(path)
	}
	if err == nil && hashOf(text) != hash {
		err = notSealed(path)
	}
	return text, err
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
