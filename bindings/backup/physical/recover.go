package physical

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Laid is a data folder that was put together and is ready to be started.
type Laid struct {
	Folder   string
	Stop     Stop
	Timeline uint32
	own      *syscall.Credential
}

// Lay puts a chain into an empty folder of this machine, which a server then
// recovers from. When it fails the folder is as empty as before. owner is whose
// the files become; drhost's own when nil.
func (c *Chain) Lay(ctx context.Context, clk clock.Clock, folder string, t Target, owner *syscall.Credential) (Laid, error) {
	if err := t.valid(); err != nil {
		return Laid{}, err
	}
	made, err := vacant(folder)
	if err != nil {
		return Laid{}, err
	}
	l := Laid{Folder: folder, Timeline: c.Line.Timeline, own: owner}
	if err := c.lay(ctx, clk, &l, t); err != nil {
		return Laid{}, errors.Join(err, clear(folder, made))
	}
	return l, nil
}

// vacant refuses a folder that holds anything.
func vacant(folder string) (made bool, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return true, os.MkdirAll(folder, 0o700)
	}
	if err != nil {
		return false, err
	}
	if len(entries) > 0 {
		return false, fault.New(fault.Conflict, "the folder %s is not empty: %s", folder, entries[0].Name()).
			WithHint("a cluster is restored into an empty folder; move what is there aside, it may be needed")
	}
	return false, os.Chmod(folder, 0o700)
}

func clear(folder string, made bool) error {
	if made {
		return os.RemoveAll(folder)
	}
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(folder, e.Name())))
	}
	return err
}

func (c *Chain) lay(ctx context.Context, clk clock.Clock, l *Laid, t Target) error {
	// Inside, so that it lies on the same disk and goes with the rest.
	wal := filepath.Join(l.Folder, "drhost_wal")
	if err := os.Mkdir(wal, 0o700); err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error {
		return c.Unpack(inner, clk, func(in io.Reader) error { return untar(in, l.Folder, "") })
	})
	group.Go(func() error { return c.fetch(inner, wal) })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := c.fetchOneFile(ctx, ManifestName, filepath.Join(l.Folder, ManifestName)); err != nil {
		return err
	}
	dir := wal
	if len(c.links) == 0 {
		dir = filepath.Join(l.Folder, "pg_wal")
	}
	stop, err := c.find(dir, t)
	if err != nil {
		return err
	}
	l.Stop = stop
	if err := moveAll(wal, filepath.Join(l.Folder, "pg_wal")); err != nil {
		return err
	}
	if err := l.arm(); err != nil {
		return err
	}
	return l.chown()
}

// Unpack hands the base backup, as a tar archive, to a reader that takes it to
// its end. A difference from its sum is an error: then nothing of it counts.
func (c *Chain) Unpack(ctx context.Context, clk clock.Clock, take func(io.Reader) error) error {
	r, err := c.file(BaseName)
	if err != nil {
		return err
	}
	in, err := artifact.Open(ctx, c.log.Store, c.Folder, r, c.log.Keys)
	if err != nil {
		return err
	}
	defer in.Close()
	meter := &meter{ctx: ctx, in: in, of: c.Base.PlainBytes, clk: clk, began: clk.Now()}
	if err := take(meter); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, meter) // what follows the archive's end, and then the sum
	return err
}

func (c *Chain) fetchOneFile(ctx context.Context, plain, path string) error {
	r, err := c.file(plain)
	if err != nil {
		return err
	}
	in, err := artifact.Open(ctx, c.log.Store, c.Folder, r, c.log.Keys)
	if err != nil {
		return err
	}
	defer in.Close()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, in)
	return errors.Join(err, file.Close())
}

// meter tells how far a restore is.
type meter struct {
	ctx      context.Context
	in       io.Reader
	done, of int64
	told     int64
	clk      clock.Clock
	began    time.Time
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.in.Read(p)
	m.done += int64(n)
	if m.done-m.told >= 64<<20 {
		m.told = m.done
		binding.Progress(m.ctx, "%s", artifact.Rate("restoring the base backup", m.done, m.of, m.clk.Now().Sub(m.began)))
	}
	return n, err
}

// untar unpacks what begins with below of an archive of a server's data folder,
// without that beginning. Nothing of it may lie outside.
func untar(in io.Reader, folder, below string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	buffer := make([]byte, 1<<20)
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, in := strings.CutPrefix(filepath.Clean(h.Name), below)
		if !in {
			continue
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.Mkdir(name, 0o700)
			if errors.Is(err, fs.ErrExist) {
				err = nil
			}
		case tar.TypeReg:
			err = writeOne(root, name, r, buffer)
		default:
			err = fault.New(fault.Failed, "the base backup holds %s, which is neither file nor folder", h.Name)
		}
		if err != nil {
			return err
		}
	}
}

func writeOne(root *os.Root, name string, in io.Reader, buffer []byte) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, struct{ io.Reader }{in}, buffer)
	return errors.Join(err, file.Close())
}

// moveAll moves what is in a folder over what is in another.
func moveAll(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(from)
}

const (
	autoConf = "postgresql.auto.conf"
	// begun and ended enclose what drhost adds to a server's settings, until
	// it is recovered.
	begun = "# drhost: how far to recover. Remove this part when it is done."
	ended = "# drhost: end"
)

// arm tells the server to recover, and how far.
func (l *Laid) arm() error {
	path := filepath.Join(l.Folder, autoConf)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(path, []byte(armed(string(text), l.Stop.settings(l.Timeline))), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.Folder, "recovery.signal"), nil, 0o600)
}

// Disarm takes the settings out again; the server has recovered and needs them
// no more. It does no harm when there are none.
func (l *Laid) Disarm() error {
	path := filepath.Join(l.Folder, autoConf)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(disarmed(string(text))), 0o600); err != nil {
		return err
	}
	return l.chown()
}

// armed adds settings to a file's text, disarmed removes them.
func armed(text string, settings []string) string {
	text = disarmed(text)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return fmt.Sprintf("%s%s\n%s\n%s\n", text, begun, strings.Join(settings, "\n"), ended)
}

func disarmed(text string) string {
	before, rest, found := strings.Cut(text, begun+"\n")
	if !found {
		return text
	}
	_, after, _ := strings.Cut(rest, ended+"\n")
	return before + after
}

func (l *Laid) chown() error {
	if l.own == nil {
		return nil
	}
	return filepath.WalkDir(l.Folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(l.own.Uid), int(l.own.Gid))
	})
}
