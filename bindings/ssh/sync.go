package ssh

import (
	"context"
	"errors"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// atOnce is how many files are under way together.
const atOnce = 4

type syncArgs struct {
	Source   string        `lua:"source" doc:"Folder or file: a path here, or user@host:/path."`
	Target   string        `lua:"target" doc:"Where its contents go: a path here, or user@host:/path. A slash at the end makes no difference."`
	Delete   bool          `lua:"delete" default:"false" doc:"Remove from the target what the source does not have."`
	Exclude  []string      `lua:"exclude,optional" doc:"Patterns (*.log, cache/*) of what is neither copied nor removed."`
	Checksum bool          `lua:"checksum" default:"false" doc:"Compare contents instead of size and time of change."`
	Within   time.Duration `lua:"within" default:"30m" doc:"How long it may take."`
}

// Synced is what a sync did.
type Synced struct {
	Files   int           `lua:"files" doc:"Files and links that were copied."`
	Bytes   int64         `lua:"bytes" doc:"Their size."`
	Skipped int           `lua:"skipped" doc:"Files that were right already."`
	Deleted int           `lua:"deleted" doc:"What was removed from the target."`
	Ignored int           `lua:"ignored" doc:"Devices, pipes and sockets, which are not copied."`
	Elapsed time.Duration `lua:"elapsed" doc:"How long it took."`
}

var syncTrees = binding.Func[*Client, syncArgs, Synced]{
	Name: "sync", Effect: binding.Mutates,
	Doc: "Make a folder like another one, here or on servers, also from one server to another: files that differ are copied, each under " +
		"another name until it is complete; rights, times and links are kept, owners are not. Repeating it completes what an interrupted one began, " +
		"so a lost answer counts as not done.",
	Says:    "copy {source} to {target}",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Conflict, fault.Failed, fault.Unavailable, fault.Timeout, fault.Exhausted},
	Example: `ssh.sync { source = "backup@203.0.113.30:/backups/app/", target = "root@203.0.113.11:/var/www/webhost/" }`,
	Target:  "target",
	Call: func(c *Client, ctx context.Context, a syncArgs) (Synced, error) {
		return c.sync(ctx, a, true)
	},
	Predict: func(c *Client, ctx context.Context, a syncArgs) (Synced, error) {
		if binding.IsPlanned(a.Source) || binding.IsPlanned(a.Target) {
			return Synced{Files: binding.PlannedInteger, Bytes: binding.PlannedInteger, Skipped: binding.PlannedInteger,
				Deleted: binding.PlannedInteger, Ignored: binding.PlannedInteger}, nil
		}
		return c.sync(ctx, a, false)
	},
	Settled: func(*Client, context.Context, syncArgs) (binding.Settlement[Synced], error) {
		return binding.Settlement[Synced]{Landed: binding.No}, nil
	},
}

// sync compares, and acts when really is true.
func (c *Client) sync(ctx context.Context, a syncArgs, really bool) (Synced, error) {
	op := "copy " + a.Source + " to " + a.Target
	for _, p := range a.Exclude {
		if _, err := path.Match(p, ""); err != nil {
			return Synced{}, fault.New(fault.Invalid, "%q is no pattern", p).WithOp("%s", op)
		}
	}
	start := c.env.Clock.Now()
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	from, source, closeFrom, err := c.end(ctx, a.Source)
	if err != nil {
		return Synced{}, translate(err, op)
	}
	defer closeFrom()
	to, target, closeTo, err := c.end(ctx, a.Target)
	if err != nil {
		return Synced{}, translate(err, op)
	}
	defer closeTo()
	d, err := compare(ctx, from, to, source, target, a)
	if err != nil {
		return Synced{}, ended(ctx, err, op)
	}
	out := Synced{Files: len(d.copies) + len(d.links), Bytes: d.bytes, Skipped: d.skipped, Deleted: len(d.blocking) + len(d.extra), Ignored: d.ignored}
	if really {
		if err := d.apply(ctx, from, to, source, target); err != nil {
			return Synced{}, ended(ctx, err, op)
		}
		out.Elapsed = c.env.Clock.Now().Sub(start).Round(time.Millisecond)
	}
	return out, nil
}

// ended prefers the reason why a connection was closed to its symptom. It says
// NotDone, because a repeat completes what was begun; the limit of the call
// itself is not passing: another try would take as long.
func ended(ctx context.Context, err error, op string) *fault.Fault {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		f := fault.New(fault.Timeout, "it was not complete in time").WithOp("%s", op).
			WithHint("raise `within`; what is there already is not copied again")
		f.Transient = false
		return f.NothingDone()
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return translate(err, op).NothingDone()
}

// end opens one end of a transfer.
func (c *Client) end(ctx context.Context, text string) (side, string, func(), error) {
	l, err := parseLocation(text)
	if err != nil {
		return nil, "", nil, err
	}
	if l.host == "" {
		if l.path, err = place(c.env.Dir, l.path); err != nil {
			return nil, "", nil, err
		}
	}
	s, stop, err := c.at(ctx, l)
	return s, l.path, stop, err
}

// apply makes the target like the source: what blocks goes first, folders come
// before files, removal and the folders' own rights and times come last.
func (d *difference) apply(ctx context.Context, from, to side, source, target string) error {
	for _, rel := range d.blocking {
		if err := to.remove(to.join(target, rel)); err != nil {
			return err
		}
	}
	if len(d.folders) == 0 { // a single file
		if err := to.mkdir(path.Dir(target)); err != nil {
			return err
		}
	}
	for _, e := range d.folders {
		if err := to.mkdir(to.join(target, e.rel)); err != nil {
			return err
		}
	}
	if err := d.copyAll(ctx, from, to, source, target); err != nil {
		return err
	}
	for _, e := range d.links {
		if err := to.symlink(e.link, to.join(target, e.rel)); err != nil {
			return err
		}
	}
	for _, rel := range d.extra {
		if err := to.remove(to.join(target, rel)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for i := len(d.folders) - 1; i >= 0; i-- {
		e := d.folders[i]
		if err := to.finish(to.join(target, e.rel), e.info.Mode(), e.info.ModTime()); err != nil {
			return err
		}
	}
	return nil
}

func (d *difference) copyAll(ctx context.Context, from, to side, source, target string) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	var done atomic.Int64
	for _, e := range d.copies {
		group.Go(func() error {
			if err := inner.Err(); err != nil {
				return err
			}
			f, err := from.open(from.join(source, e.rel))
			if err != nil {
				return err
			}
			defer f.Close()
			if err := to.put(to.join(target, e.rel), reader{inner, f}, e.info.Mode(), e.info.ModTime()); err != nil {
				return err
			}
			if n := done.Add(1); n%100 == 0 {
				binding.Progress(ctx, "%d of %d files", n, len(d.copies))
			}
			return nil
		})
	}
	return group.Wait()
}

// intoFolder completes a target that names a folder with the source's name.
func intoFolder(target, source string) string {
	if strings.HasSuffix(target, "/") {
		return target + path.Base(source)
	}
	return target
}
