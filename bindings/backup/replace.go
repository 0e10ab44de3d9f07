package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

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

func (a restoreArgs) target() physical.Target {
	return physical.Target{Time: a.Time, BeforeXID: uint64(a.BeforeXID), Point: a.Point}
}

func predictCluster(out *Restored, b catalogue.Backup, a restoreArgs) {
	out.Position, out.Folder = binding.Planned("position in the log"), a.Folder
	if b.Base != nil {
		out.Databases = b.Base.Databases
	}
	if !a.Time.IsZero() {
		out.Until = a.Time
	}
	if a.Host != "" {
		out.Folder, out.Kept = binding.Planned("data folder of "+a.Host), binding.Planned("folder of the cluster that was there")
	}
}

func (c *Client) restoreCluster(ctx context.Context, at *catalogue.Catalogue, b catalogue.Backup, a restoreArgs) (Restored, error) {
	op := "restore the cluster " + a.ID
	pin, held, err := at.Pin(ctx, b, "restore of "+b.ID)
	if err != nil {
		return Restored{}, logical.Because(ctx, err, op).NothingDone()
	}
	out, err := c.bringBack(held, at, b, a)
	_ = pin.Release(ctx) // one that cannot be taken off runs out by itself
	if err != nil {
		return Restored{}, logical.Because(held, err, op)
	}
	return out, nil
}

func (c *Client) bringBack(ctx context.Context, at *catalogue.Catalogue, b catalogue.Backup, a restoreArgs) (Restored, error) {
	e, err := c.copier(at)
	if err != nil {
		return Restored{}, err
	}
	chain, err := e.Chain(ctx, b, 0)
	if err != nil {
		return Restored{}, err
	}
	if a.Folder != "" {
		return c.intoFolder(ctx, chain, a)
	}
	m, done, err := c.machine(ctx, a.Host)
	if err != nil {
		return Restored{}, err
	}
	defer done()
	got, err := chain.Replace(ctx, m, e.Scratch, physical.Replacement{Name: a.Cluster, Target: a.target(), Key: binding.Key(ctx), Over: a.Replace})
	if err != nil {
		return Restored{}, err
	}
	out := Restored{Until: got.Stop.Until, Position: got.Recovered.Replayed.String(), Databases: chain.Base.Databases, Folder: got.Slot.Data, Kept: got.Kept}
	if !got.Recovered.Commit.IsZero() {
		out.Last = &got.Recovered.Commit
	}
	return out, nil
}

// intoFolder lays a cluster down on this machine, to be started by hand.
func (c *Client) intoFolder(ctx context.Context, chain *physical.Chain, a restoreArgs) (Restored, error) {
	folder, err := c.absolute(a.Folder)
	if err != nil {
		return Restored{}, err
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return Restored{}, err
	}
	laid, err := chain.Lay(ctx, c.env.Clock, folder, a.target(), nil)
	if err != nil {
		return Restored{}, err
	}
	out := Restored{Until: laid.Stop.Until, Position: laid.Stop.At.String(), Databases: chain.Base.Databases, Folder: folder}
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
		f := logical.Because(ctx, err, "log in to "+to.User+"@"+to.Host).NothingDone()
		if f.Kind == fault.Unavailable || f.Kind == fault.Timeout {
			f.Hint = fmt.Sprintf("is the machine up, and does SSH listen on %s? `connect_timeout` in the settings of backup is how long it may take", to.HostPort)
		}
		return nil, nil, f
	}
	release := context.AfterFunc(ctx, func() { client.Close() })
	return &physical.Machine{Client: client, Host: to.Host, Root: to.User == "root", Clock: c.env.Clock}, func() { release(); client.Close() }, nil
}
