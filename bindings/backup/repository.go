package backup

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/fault"
)

// absolute is a path of this machine; a relative one starts where the
// environment's does.
func (c *Client) absolute(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fault.New(fault.Invalid, "%s needs a home directory: %v", path, err)
		}
		return filepath.Join(home, rest), nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.env.Dir, path)
	}
	return filepath.Clean(path), nil
}

// repository opens the repository for one call; close it at the call's end.
func (c *Client) repository(ctx context.Context) (*catalogue.Catalogue, error) {
	at, err := c.location()
	if err != nil {
		return nil, err
	}
	s, err := at.open(ctx, c)
	if err != nil {
		return nil, err
	}
	return &catalogue.Catalogue{Store: s, Clock: c.env.Clock, Owner: owner()}, nil
}

// owner says to others who is at work.
func owner() string {
	name, host := "somebody", "a machine without a name"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host + ", process " + strconv.Itoa(os.Getpid())
}

// engine is what dumps and restores work with in an open repository.
func (c *Client) engine(at *catalogue.Catalogue) (*logical.Engine, error) {
	to, err := artifact.ParseRecipients(c.set.Recipients)
	if err != nil {
		return nil, err
	}
	e := &logical.Engine{Catalogue: at, Seal: artifact.Seal{Recipients: to}, Recipients: c.set.Recipients, Tools: c.tools, Clock: c.env.Clock, LockWait: c.set.LockWait,
		Keys: func() (artifact.Keys, error) { return artifact.ParseKeys(c.set.Identity) },
		Way:  postgres.Way{Net: c.env.Net, Clock: c.env.Clock, ConnectTimeout: c.set.ConnectTimeout}}
	e.ServerTools = func(ctx context.Context, needed int) (postgres.Tools, error) {
		return postgres.Find(ctx, postgres.Need{Bin: c.set.Bin, Programs: []string{"postgres", "initdb", "pg_ctl", "pg_restore"}, AtLeast: needed, Package: "postgresql"})
	}
	if c.set.Scratch != "" {
		e.Scratch, err = c.absolute(c.set.Scratch)
	}
	return e, err
}
