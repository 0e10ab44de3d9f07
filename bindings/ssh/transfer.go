package ssh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"path"
	"strconv"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type uploadArgs struct {
	Host   string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Source string        `lua:"source" doc:"File here."`
	Target string        `lua:"target" doc:"Path there; one that ends in a slash is a folder."`
	Mode   string        `lua:"mode,optional" doc:"Rights as an octal number, 0644; those of the source when not given."`
	User   string        `lua:"user,optional" doc:"User to log in as; that of the settings when not given."`
	Within time.Duration `lua:"within" default:"10m" doc:"How long it may take."`
}

// Transferred is a file that was moved.
type Transferred struct {
	Path   string `lua:"path" doc:"Where it is now."`
	Bytes  int64  `lua:"bytes" doc:"Its size."`
	SHA256 string `lua:"sha256" doc:"Its checksum, as it was read."`
}

var upload = binding.Func[*Client, uploadArgs, Transferred]{
	Name: "upload", Effect: binding.Mutates,
	Doc: "Copy a file to a server. It appears under its name only when it is complete. Repeating it does no harm, " +
		"so a lost answer counts as not done.",
	Says:    "upload {source} to {host}:{target}",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Failed, fault.Unavailable, fault.Timeout},
	Example: `ssh.upload { host = "203.0.113.10", source = "files/webhost.service", target = "/etc/systemd/system/", mode = "0644" }`,
	Target:  "host",
	Call: func(c *Client, ctx context.Context, a uploadArgs) (Transferred, error) {
		op := "upload " + a.Source + " to " + a.Host
		source, err := place(c.env.Dir, a.Source)
		if err != nil {
			return Transferred{}, err
		}
		there := location{user: a.User, host: a.Host, path: intoFolder(a.Target, a.Source)}
		return c.transfer(ctx, op, location{path: source}, there, a.Mode, a.Within)
	},
	Predict: func(c *Client, _ context.Context, a uploadArgs) (Transferred, error) {
		source, err := place(c.env.Dir, a.Source)
		if err != nil {
			return Transferred{}, err
		}
		info, err := os.Stat(source)
		if err != nil {
			return Transferred{}, translate(err, "upload "+a.Source).NothingDone()
		}
		return Transferred{Path: intoFolder(a.Target, a.Source), Bytes: info.Size(), SHA256: binding.Planned("checksum of " + a.Source)}, nil
	},
	Settled: func(*Client, context.Context, uploadArgs) (binding.Settlement[Transferred], error) {
		return binding.Settlement[Transferred]{Landed: binding.No}, nil
	},
}

type downloadArgs struct {
	Host   string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Source string        `lua:"source" doc:"File there."`
	Target string        `lua:"target" doc:"Path here; one that ends in a slash is a folder."`
	User   string        `lua:"user,optional" doc:"User to log in as; that of the settings when not given."`
	Within time.Duration `lua:"within" default:"10m" doc:"How long it may take."`
}

var download = binding.Func[*Client, downloadArgs, Transferred]{
	Name: "download", Effect: binding.Mutates,
	Doc: "Copy a file from a server to this machine. It appears under its name only when it is complete. Repeating it does no harm, " +
		"so a lost answer counts as not done.",
	Says:    "download {host}:{source} to {target}",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Failed, fault.Unavailable, fault.Timeout, fault.Exhausted},
	Example: `ssh.download { host = "203.0.113.10", source = "/var/log/syslog", target = "evidence/" }`,
	Target:  "host",
	Call: func(c *Client, ctx context.Context, a downloadArgs) (Transferred, error) {
		target, err := place(c.env.Dir, intoFolder(a.Target, a.Source))
		if err != nil {
			return Transferred{}, err
		}
		there := location{user: a.User, host: a.Host, path: a.Source}
		return c.transfer(ctx, "download "+a.Source+" from "+a.Host, there, location{path: target}, "", a.Within)
	},
	Predict: func(c *Client, _ context.Context, a downloadArgs) (Transferred, error) {
		target, err := place(c.env.Dir, intoFolder(a.Target, a.Source))
		return Transferred{Path: target, Bytes: binding.PlannedInteger, SHA256: binding.Planned("checksum of " + a.Source)}, err
	},
	Settled: func(*Client, context.Context, downloadArgs) (binding.Settlement[Transferred], error) {
		return binding.Settlement[Transferred]{Landed: binding.No}, nil
	},
}

// transfer copies one file from one side to the other.
func (c *Client) transfer(ctx context.Context, op string, source, target location, mode string, within time.Duration) (Transferred, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	from, closeFrom, err := c.at(ctx, source)
	if err != nil {
		return Transferred{}, translate(err, op)
	}
	defer closeFrom()
	to, closeTo, err := c.at(ctx, target)
	if err != nil {
		return Transferred{}, translate(err, op)
	}
	defer closeTo()
	info, err := from.stat(source.path)
	if err != nil {
		return Transferred{}, ended(ctx, err, op)
	}
	if info.IsDir() {
		return Transferred{}, fault.New(fault.Invalid, "%s is a folder", source.path).WithOp("%s", op).WithHint("ssh.sync copies folders")
	}
	rights := info.Mode()
	if mode != "" {
		n, err := strconv.ParseUint(mode, 8, 9)
		if err != nil {
			return Transferred{}, fault.New(fault.Invalid, "mode %q is no octal number such as 0644", mode).WithOp("%s", op)
		}
		rights = os.FileMode(n)
	}
	counted := &counter{hash: sha256.New()}
	err = func() error {
		f, err := from.open(source.path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := to.mkdir(path.Dir(target.path)); err != nil {
			return err
		}
		return to.put(target.path, io.TeeReader(reader{ctx, f}, counted), rights, info.ModTime())
	}()
	if err != nil {
		return Transferred{}, ended(ctx, err, op)
	}
	return Transferred{Path: target.path, Bytes: counted.n, SHA256: hex.EncodeToString(counted.hash.Sum(nil))}, nil
}

// counter sums up what passes.
type counter struct {
	hash hash.Hash
	n    int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.hash.Write(p)
}
