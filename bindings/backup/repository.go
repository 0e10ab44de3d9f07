package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// repository is a folder: <database>/<id>/ with the dump, the roles and, last,
// the manifest.
type repository struct{ dir string }

var idForm = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$`)

// newID is made of the moment and of the call's key, so that the folder that a
// crashed attempt left is recognised.
func newID(until time.Time, suffix string) string {
	return until.UTC().Format("20060102T150405Z") + "-" + suffix
}

// suffix is short and stable for one call; it also names databases.
func suffix(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:4])
}

func (r repository) databaseDir(database string) string {
	name := url.PathEscape(database)
	if strings.HasPrefix(name, ".") {
		name = "%2E" + name[1:]
	}
	return filepath.Join(r.dir, name)
}

// all returns the backups, newest first, and how many folders have no
// manifest: attempts that were cut off, or one that is under way. A manifest
// that cannot be read makes its backup damaged rather than invisible.
func (r repository) all() (found []stored, incomplete []string, err error) {
	if info, err := os.Stat(r.dir); err == nil && !info.IsDir() {
		return nil, nil, fault.New(fault.Invalid, "the repository %s is no folder", r.dir).WithHint("check `repository` in the settings of backup")
	}
	folders, err := filepath.Glob(filepath.Join(escapeGlob(r.dir), "*", "*"))
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.ReadDir(r.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, translate(err, "read the repository "+r.dir)
	}
	for _, dir := range folders {
		if !idForm.MatchString(filepath.Base(dir)) {
			continue
		}
		s, err := load(dir)
		if errors.Is(err, os.ErrNotExist) {
			incomplete = append(incomplete, dir)
			continue
		}
		if err != nil {
			return nil, nil, translate(err, "read the backup "+dir)
		}
		found = append(found, s)
	}
	slices.SortFunc(found, func(a, b stored) int {
		if c := b.Until.Compare(a.Until); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	return found, incomplete, nil
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func load(dir string) (stored, error) {
	s := stored{dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return s, err
	}
	database := databaseOf(dir)
	if err := json.Unmarshal(text, &s.manifest); err != nil || s.ID != filepath.Base(dir) || s.Database != database || s.Format != 1 {
		s.manifest = manifest{ID: filepath.Base(dir), Database: database}
		s.checks.Reason = "its manifest cannot be read"
		return s, nil
	}
	if text, err := os.ReadFile(filepath.Join(dir, checksName)); err == nil {
		_ = json.Unmarshal(text, &s.checks) // a check that cannot be read never happened
	}
	return s, nil
}

// find returns the backup called id.
func (r repository) find(id string) (stored, error) {
	all, _, err := r.all()
	if err != nil {
		return stored{}, err
	}
	var ids []string
	for _, s := range all {
		if s.ID == id {
			return s, nil
		}
		ids = append(ids, s.ID)
	}
	f := fault.New(fault.NotFound, "there is no backup %q in %s", id, r.dir).WithHint("backup.list shows them")
	if near := binding.Nearest(id, ids); near != "" {
		f = f.WithHint("did you mean %q?", near)
	}
	return stored{}, f
}

// byKey returns the backup that the call with this key made.
func (r repository) byKey(key string) (stored, bool, error) {
	all, _, err := r.all()
	if err != nil || key == "" {
		return stored{}, false, err
	}
	for _, s := range all {
		if s.Key == key {
			return s, true, nil
		}
	}
	return stored{}, false, nil
}

// begin makes the folder of a new backup and removes what an earlier attempt
// of the same call left without a manifest.
func (r repository) begin(database, id string) (string, error) {
	parent := r.databaseDir(database)
	if err := os.MkdirAll(parent, 0o750); err != nil {
		return "", err
	}
	left, _ := filepath.Glob(filepath.Join(escapeGlob(parent), "*"+id[strings.LastIndexByte(id, '-'):]))
	for _, dir := range left {
		if _, err := os.Lstat(filepath.Join(dir, manifestName)); errors.Is(err, os.ErrNotExist) {
			if err := os.RemoveAll(dir); err != nil {
				return "", err
			}
		}
	}
	dir := filepath.Join(parent, id)
	if err := os.Mkdir(dir, 0o750); err != nil {
		return "", err
	}
	return dir, errors.Join(syncFolder(parent), syncFolder(r.dir))
}

// publish writes the manifest, after everything else is on the disk.
func publish(dir string, m manifest) error {
	if err := syncFolder(dir); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, manifestName), m)
}

// record keeps what a check found beside the manifest.
func (s stored) record(found checks) error {
	return writeJSON(filepath.Join(s.dir, checksName), found)
}

// writeJSON replaces a file atomically and durably.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when the rename worked
	_, err = tmp.Write(append(text, '\n'))
	if err == nil {
		err = tmp.Sync()
	}
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// measure reads a file back and returns what it holds.
func measure(ctx context.Context, path string) (artifact, error) {
	a := artifact{Name: filepath.Base(path)}
	f, err := os.Open(path)
	if err != nil {
		return a, err
	}
	defer f.Close()
	h := sha256.New()
	a.Bytes, err = io.Copy(h, reader{ctx, f})
	a.SHA256 = hex.EncodeToString(h.Sum(nil))
	return a, err
}

// reader stops reading when ctx ends.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// databaseOf is the database whose backup lies in dir.
func databaseOf(dir string) string {
	name, _ := url.PathUnescape(filepath.Base(filepath.Dir(dir)))
	return name
}
