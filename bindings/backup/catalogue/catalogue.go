package catalogue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Catalogue is what one process does with one repository.
type Catalogue struct {
	Store store.Store
	Clock clock.Clock   // of this machine; leases go by the repository's
	Owner string        // who works here, for those who have to wait
	Term  time.Duration // how long a lease lives without being renewed; DefaultTerm when 0
}

// idlePiece is how long nothing was written to a piece of an upload that is
// taken for dead.
const idlePiece = 24 * time.Hour

// manifestLimit bounds what is read of an object that should be small.
const manifestLimit = 64 << 20

// reserved are the folders that are no subject's.
func reserved(folder string) bool {
	return slices.Contains([]string{"wal", "locks", "pins", "trees"}, folder)
}

var idForm = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$`)

// NewID is made of the moment and of the call's key, so that the folder that a
// crashed attempt left is recognised.
func NewID(until time.Time, suffix string) string {
	return until.UTC().Format("20060102T150405Z") + "-" + suffix
}

// Suffix is short and stable for one call; it also names databases.
func Suffix(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:4])
}

// SubjectFolder is where the backups of a database, a cluster or a tree lie.
func SubjectFolder(subject string) string {
	name := url.PathEscape(subject)
	if strings.HasPrefix(name, ".") || reserved(name) {
		name = "%" + strings.ToUpper(hex.EncodeToString([]byte(name[:1]))) + name[1:]
	}
	return name
}

// subjectOf is the inverse of SubjectFolder.
func subjectOf(folder string) string {
	name, err := url.PathUnescape(folder)
	if err != nil {
		return folder
	}
	return name
}

// Incomplete is a folder without a manifest: an attempt that was cut off, or
// one that is under way.
type Incomplete struct{ Subject, ID, Folder string }

// All returns the backups, newest first, and the attempts that are none. A
// manifest that cannot be read makes its backup damaged rather than invisible.
func (c *Catalogue) All(ctx context.Context) ([]Backup, []Incomplete, error) {
	folders, err := c.Store.Folders(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	var found []Backup
	var incomplete []Incomplete
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, folder := range folders {
		if reserved(folder) {
			continue
		}
		ids, err := c.Store.Folders(ctx, folder+"/")
		if err != nil {
			return nil, nil, errors.Join(err, group.Wait())
		}
		for _, id := range ids {
			if !idForm.MatchString(id) {
				continue
			}
			group.Go(func() error {
				b, err := c.load(inner, folder+"/"+id)
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, store.ErrNotFound) {
					incomplete = append(incomplete, Incomplete{subjectOf(folder), id, folder + "/" + id})
					return nil
				}
				found = append(found, b)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(found, func(a, b Backup) int {
		if c := b.Until.Compare(a.Until); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	slices.SortFunc(incomplete, func(a, b Incomplete) int { return strings.Compare(a.Folder, b.Folder) })
	return found, incomplete, nil
}

// load reads a backup. store.ErrNotFound tells that there is no manifest.
func (c *Catalogue) load(ctx context.Context, folder string) (Backup, error) {
	b := Backup{Folder: folder}
	text, err := c.read(ctx, folder+"/"+ManifestName)
	if err != nil {
		return b, err
	}
	subjectFolder, id, _ := strings.Cut(folder, "/")
	subject := subjectOf(subjectFolder)
	err = json.Unmarshal(text, &b.Manifest)
	if b.Format == 1 {
		b.Subject = b.Database
	}
	switch {
	case err == nil && b.Format > Format:
		b.Manifest = Manifest{ID: id, Subject: subject, Database: subject}
		b.Checks.Reason = "its manifest was written by a newer drhost; use that version"
		return b, nil
	case err != nil || b.ID != id || b.Subject != subject || b.Format < 1 || len(b.Files) == 0:
		b.Manifest = Manifest{ID: id, Subject: subject, Database: subject}
		b.Checks.Reason = "its manifest " + folder + "/" + ManifestName + " in " + c.Store.Place() + " cannot be read"
		return b, nil
	}
	text, err = c.read(ctx, folder+"/"+ChecksName)
	if errors.Is(err, store.ErrNotFound) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	if json.Unmarshal(text, &b.Checks) != nil {
		b.Checks = Checks{} // a check that cannot be read never happened
	}
	return b, nil
}

func (c *Catalogue) read(ctx context.Context, name string) ([]byte, error) {
	in, err := c.Store.Open(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, manifestLimit))
}

// Find returns the backup called id.
func (c *Catalogue) Find(ctx context.Context, id string) (Backup, error) {
	all, _, err := c.All(ctx)
	if err != nil {
		return Backup{}, err
	}
	var ids []string
	for _, b := range all {
		if b.ID == id {
			return b, nil
		}
		ids = append(ids, b.ID)
	}
	f := fault.New(fault.NotFound, "there is no backup %q in %s", id, c.Store.Place()).WithHint("backup.list shows them")
	if near := binding.Nearest(id, ids); near != "" {
		f = f.WithHint("did you mean %q?", near)
	}
	return Backup{}, f
}

// ByKey returns the backup that the call with this key made.
func (c *Catalogue) ByKey(ctx context.Context, key string) (Backup, bool, error) {
	if key == "" {
		return Backup{}, false, nil
	}
	all, _, err := c.All(ctx)
	for _, b := range all {
		if b.Key == key {
			return b, true, nil
		}
	}
	return Backup{}, false, err
}

// Begin returns the folder of a new backup, once it has removed what an earlier
// attempt of the same call left without a manifest.
func (c *Catalogue) Begin(ctx context.Context, subject, id string) (string, error) {
	parent := SubjectFolder(subject)
	ids, err := c.Store.Folders(ctx, parent+"/")
	if err != nil {
		return "", err
	}
	for _, left := range ids {
		if !idForm.MatchString(left) || left[len(left)-8:] != id[len(id)-8:] {
			continue
		}
		_, err := c.Store.Stat(ctx, parent+"/"+left+"/"+ManifestName)
		if errors.Is(err, store.ErrNotFound) {
			if _, err = c.Store.Sweep(ctx, idlePiece); err == nil {
				err = c.clear(ctx, parent+"/"+left)
			}
		}
		if err != nil {
			return "", err
		}
	}
	return parent + "/" + id, nil
}

// Publish reads every artifact back, and then writes the manifest: with that
// the backup exists.
func (c *Catalogue) Publish(ctx context.Context, folder string, m Manifest) (Backup, error) {
	m.Format = Format
	for _, f := range m.Files {
		err := artifact.Check(ctx, c.Store, folder, f)
		if errors.Is(err, artifact.ErrDamaged) {
			return Backup{}, fault.New(fault.Failed, "%s reads back differently from what was written: %v", f.Name, err).
				WithHint("the repository %s is not to be trusted", c.Store.Place())
		}
		if err != nil {
			return Backup{}, err
		}
	}
	text, err := encode(m)
	if err != nil {
		return Backup{}, err
	}
	if err := c.Store.Create(ctx, folder+"/"+ManifestName, bytes.NewReader(text)); err != nil {
		return Backup{}, err
	}
	return Backup{Manifest: m, Folder: folder}, nil
}

func encode(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}

// Record keeps what a check found beside the manifest.
func (c *Catalogue) Record(ctx context.Context, b Backup, found Checks) error {
	text, err := encode(found)
	if err != nil {
		return err
	}
	return c.Store.Put(ctx, b.Folder+"/"+ChecksName, bytes.NewReader(text))
}

// Condemn notes that a backup cannot be used.
func (c *Catalogue) Condemn(ctx context.Context, b Backup, reason string) error {
	found := b.Checks
	found.DamagedAt, found.Reason = c.Clock.Now().UTC(), reason
	return c.Record(ctx, b, found)
}

// Praise notes that a check found a backup good. A deeper check stays on record,
// and sums alone do not lift what a deeper check found wrong.
func (c *Catalogue) Praise(ctx context.Context, b Backup, depth string, compared ...string) error {
	now, found := c.Clock.Now().UTC(), b.Checks
	if depth == DepthSums {
		found.SummedAt = now
		return c.Record(ctx, b, found)
	}
	if found.Depth == DepthRestored && depth != DepthRestored {
		depth, compared = found.Depth, found.Compared
	}
	return c.Record(ctx, b, Checks{SummedAt: now, VerifiedAt: now, Depth: depth, Compared: compared})
}

// Discard takes back an attempt that failed: the manifest first, so that none
// points to what is gone. It works on when ctx has ended.
func (c *Catalogue) Discard(ctx context.Context, folder string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return c.clear(ctx, folder)
}

// clear removes everything in a backup's folder, the manifest first.
func (c *Catalogue) clear(ctx context.Context, folder string) error {
	if err := c.Store.Delete(ctx, folder+"/"+ManifestName); err != nil {
		return err
	}
	found, err := c.Store.List(ctx, folder+"/")
	if err != nil {
		return err
	}
	for _, i := range found {
		if err := c.Store.Delete(ctx, i.Name); err != nil {
			return err
		}
	}
	return nil
}
