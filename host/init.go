package host

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/webhost-systems/drhost/host/config"
	"github.com/webhost-systems/drhost/host/reference"
	"github.com/webhost-systems/drhost/runbooks"
)

// Init makes dir a working folder: drhost.toml, the plan's runbooks with their
// drills and worlds, and the editor's stubs. It refuses to overwrite a file.
func (h *Host) Init(dir string) ([]string, error) {
	files, err := h.workingFolder()
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		_, err := os.Lstat(filepath.Join(dir, f.name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, Usage(err)
		}
		if err == nil {
			return nil, Usage(fmt.Errorf("%s is there already; nothing was written", filepath.Join(dir, f.name)))
		}
	}
	var written []string
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, takenBack(written, err)
		}
		if err := os.WriteFile(path, f.text, 0o644); err != nil {
			return nil, takenBack(append(written, path), err)
		}
		written = append(written, path)
	}
	return written, nil
}

// takenBack removes what was written before err, so that a second attempt does
// not find half a folder in its way.
func takenBack(written []string, err error) error {
	for _, path := range written {
		if removed := os.Remove(path); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	return Usage(err)
}

type namedFile struct {
	name string
	text []byte
}

// workingFolder is what Init writes, in a fixed order.
func (h *Host) workingFolder() ([]namedFile, error) {
	var files []namedFile
	err := fs.WalkDir(runbooks.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := runbooks.Files.ReadFile(path)
		name := filepath.Join("runbooks", path)
		if path == config.File { // first, whatever the runbooks are called
			files = slices.Insert(files, 0, namedFile{config.File, text})
			return err
		}
		files = append(files, namedFile{name, text})
		return err
	})
	if err != nil {
		return nil, err
	}
	stubs := reference.Stubs(h.Catalog)
	for _, name := range slices.Sorted(maps.Keys(stubs)) {
		files = append(files, namedFile{filepath.Join("runbooks", "stubs", name), stubs[name]})
	}
	return append(files, namedFile{filepath.Join("runbooks", ".luarc.json"), reference.Luarc()}), nil
}
