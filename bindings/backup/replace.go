package backup

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/bindings/backup/physical"
	"github.com/webhost-systems/drhost/bindings/sshlink"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// sshSettings is [env.NAME.backup.ssh].
type sshSettings struct {
	User       string       `lua:"user,optional" doc:"User to log in as: root, or one who may sudo without a password; root when not set."`
	Key        secret.Value `lua:"key,optional" doc:"Reference to the private key, without passphrase; file:~/.ssh/id_ed25519 when not set."`
	KnownHosts string       `lua:"known_hosts,optional" doc:"File of the host keys that are trusted; ~/.ssh/known_hosts when not set."`
	Port       int          `lua:"port,optional" doc:"Port of hosts that are given without one; 22 when not set."`
}

type restoreClusterArgs struct {
	ID        string        `lua:"id" doc:"Copy of a cluster to restore, from backup.newest or backup.list."`
	Host      string        `lua:"host,optional" doc:"Machine that is reached by SSH, with PostgreSQL as Debian packages it. Its cluster is stopped, moved aside and kept."`
	Folder    string        `lua:"folder,optional" doc:"Instead of a machine: an empty folder of this one. No server is started."`
	Cluster   string        `lua:"cluster,optional" doc:"Name of the cluster there, when there are several of one version: \"main\"."`
	Time      time.Time     `lua:"time,optional" doc:"Restore what had committed by then, and nothing later; everything there is when not given."`
	BeforeXID int           `lua:"before_xid,optional" doc:"Restore everything up to just before this transaction committed."`
	Point     string        `lua:"point,optional" doc:"Restore everything up to this named restore point."`
	Within    time.Duration `lua:"within" default:"4h" doc:"How long it may take."`
}

// RestoredCluster is what came back.
type RestoredCluster struct {
	Until     time.Time     `lua:"data_until" doc:"Up to when its data reaches: what came later is lost."`
	Last      *time.Time    `lua:"last_commit" doc:"When the last transaction that is in committed; absent when none did behind the base backup."`
	Position  string        `lua:"position" doc:"Where in the write-ahead log the recovery ended."`
	Databases []string      `lua:"databases" doc:"The databases in it."`
	Folder    string        `lua:"folder" doc:"Its data folder."`
	Kept      string        `lua:"kept,optional" doc:"Folder of the cluster that was there before."`
	Elapsed   time.Duration `lua:"elapsed" doc:"How long it took."`
}

var restoreCluster = binding.Func[*Client, restoreClusterArgs, RestoredCluster]{
	Name: "restore_cluster", Effect: binding.Mutates,
	Doc: "Restore the copy of a cluster, and the archived log behind it, on a machine: beside the cluster that is there, which is then stopped, moved aside and kept. The log is read to its end " +
		"before anything is touched; a hole or a damaged segment is refused. PostgreSQL is told the exact place to recover to and does not start when it cannot get there. If the restored cluster does not " +
		"come up, the old one is back in its place, stopped.",
	Says:    "restore the cluster {id}[ on {host}][ into {folder}][ to {time}][ to just before transaction {before_xid}][ to the point {point}]",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Conflict, fault.Failed, fault.Unavailable, fault.Timeout, fault.Exhausted},
	Example: `backup.restore_cluster { id = "20260228T030000Z-0a1b2c3d", host = "203.0.113.11", time = "2026-02-28T11:59:00Z" }`,
	Target:  "host",
	Call:    (*Client).restoreCluster,
	Predict: func(c *Client, ctx context.Context, a restoreClusterArgs) (RestoredCluster, error) {
		out := RestoredCluster{Until: a.Time, Position: binding.Planned("position in the log"), Folder: a.Folder}
		if binding.IsPlanned(a.ID) {
			return out, nil
		}
		at, err := c.repository(ctx)
		if err != nil {
			return out, err
		}
		defer at.Store.Close()
		b, err := at.Find(ctx, a.ID)
		if err != nil || b.Base == nil {
			return out, err
		}
		out.Databases = b.Base.Databases
		if out.Until.IsZero() {
			out.Until = b.Until
		}
		if a.Host != "" {
			out.Folder, out.Kept = binding.Planned("data folder of "+a.Host), binding.Planned("folder of the cluster that was there")
		}
		return out, nil
	},
	// The call itself finds the mark that it leaves, and goes on from there.
	Settled: func(*Client, context.Context, restoreClusterArgs) (binding.Settlement[RestoredCluster], error) {
		return binding.Settlement[RestoredCluster]{Landed: binding.No}, nil
	},
}

func (a restoreClusterArgs) target() (physical.Target, error) {
	if (a.Host == "") == (a.Folder == "") {
		return physical.Target{}, fault.New(fault.Invalid, "one of `host` and `folder` is needed, and not both")
	}
	if a.BeforeXID < 0 {
		return physical.Target{}, fault.New(fault.Invalid, "before_xid is %d", a.BeforeXID)
	}
	return physical.Target{Time: a.Time, BeforeXID: uint64(a.BeforeXID), Point: a.Point}, nil
}

func (c *Client) restoreCluster(ctx context.Context, a restoreClusterArgs) (RestoredCluster, error) {
	start := c.env.Clock.Now()
	op := "restore the cluster " + a.ID
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	t, err := a.target()
	if err != nil {
		return RestoredCluster{}, err
	}
	at, err := c.repository(ctx)
	if err != nil {
		return RestoredCluster{}, logical.Because(ctx, err, op).NothingDone()
	}
	defer at.Store.Close()
	b, err := at.Find(ctx, a.ID)
	if err != nil {
		return RestoredCluster{}, err
	}
	pin, held, err := at.Pin(ctx, b, "restore of "+b.ID)
	if err != nil {
		return RestoredCluster{}, logical.Because(ctx, err, op).NothingDone()
	}
	out, err := c.bringBack(held, at, b, a, t)
	_ = pin.Release(ctx) // one that cannot be taken off runs out by itself
	if err != nil {
		return RestoredCluster{}, logical.Because(held, err, op)
	}
	out.Elapsed = c.env.Clock.Now().Sub(start).Round(time.Millisecond)
	return out, nil
}

func (c *Client) bringBack(ctx context.Context, at *catalogue.Catalogue, b catalogue.Backup, a restoreClusterArgs, t physical.Target) (RestoredCluster, error) {
	e, err := c.copier(at)
	if err != nil {
		return RestoredCluster{}, err
	}
	chain, err := e.Chain(ctx, b, 0)
	if err != nil {
		return RestoredCluster{}, err
	}
	if a.Folder != "" {
		return c.intoFolder(ctx, chain, a, t)
	}
	m, done, err := c.machine(ctx, a.Host)
	if err != nil {
		return RestoredCluster{}, err
	}
	defer done()
	got, err := chain.Replace(ctx, m, e.Scratch, physical.Replacement{Name: a.Cluster, Target: t, Key: binding.Key(ctx)})
	if err != nil {
		return RestoredCluster{}, err
	}
	out := RestoredCluster{Until: got.Stop.Until, Position: got.Recovered.Replayed.String(), Databases: chain.Base.Databases, Folder: got.Slot.Data, Kept: got.Kept}
	if !got.Recovered.Commit.IsZero() {
		out.Last = &got.Recovered.Commit
	}
	return out, nil
}

// intoFolder lays a cluster down on this machine, to be started by hand.
func (c *Client) intoFolder(ctx context.Context, chain *physical.Chain, a restoreClusterArgs, t physical.Target) (RestoredCluster, error) {
	folder, err := c.absolute(a.Folder)
	if err != nil {
		return RestoredCluster{}, err
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return RestoredCluster{}, err
	}
	laid, err := chain.Lay(ctx, c.env.Clock, folder, t, nil)
	if err != nil {
		return RestoredCluster{}, err
	}
	out := RestoredCluster{Until: laid.Stop.Until, Position: laid.Stop.At.String(), Databases: chain.Base.Databases, Folder: folder}
	if !laid.Stop.Commit.IsZero() {
		out.Last = &laid.Stop.Commit
	}
	return out, nil
}

// machine logs in to a machine; done hangs up.
func (c *Client) machine(ctx context.Context, host string) (*physical.Machine, func(), error) {
	set := c.set.SSH
	if set.Port == 0 {
		set.Port = 22
	}
	if set.User == "" {
		set.User = "root"
	}
	if set.KnownHosts == "" {
		set.KnownHosts = "~/.ssh/known_hosts"
	}
	to, err := sshlink.ParseAddress(host, "", set.User, set.Port)
	if err != nil {
		return nil, nil, err
	}
	key, err := c.credential(set.Key, sshKeyDefault)
	if err != nil {
		return nil, nil, err
	}
	signer, err := sshlink.ParseKey(key, "backup.ssh")
	if err != nil {
		return nil, nil, err
	}
	known, err := c.absolute(set.KnownHosts)
	if err != nil {
		return nil, nil, err
	}
	link := sshlink.Link{Net: c.env.Net, Clock: c.env.Clock, KnownHosts: known, ConnectTimeout: c.set.ConnectTimeout}
	client, err := link.Login(ctx, to, signer)
	if err != nil {
		return nil, nil, logical.Because(ctx, err, "log in to "+to.User+"@"+to.Host).NothingDone()
	}
	release := context.AfterFunc(ctx, func() { client.Close() })
	return &physical.Machine{Client: client, Host: to.Host, Root: to.User == "root", Clock: c.env.Clock}, func() { release(); client.Close() }, nil
}
