package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
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
	return c.catalogue(ctx, false)
}

// begun is repository for a call that may be the first to store something.
func (c *Client) begun(ctx context.Context) (*catalogue.Catalogue, error) {
	at, err := c.catalogue(ctx, true)
	if err != nil {
		return nil, err
	}
	if err := at.Reserve(ctx); err != nil {
		return nil, errors.Join(err, at.Store.Close())
	}
	return at, nil
}

func (c *Client) catalogue(ctx context.Context, first bool) (*catalogue.Catalogue, error) {
	at, err := c.location()
	if err != nil {
		return nil, err
	}
	s, err := c.reach(ctx, at, first)
	if err != nil {
		return nil, err
	}
	return &catalogue.Catalogue{Store: s, Clock: c.env.Clock, Owner: owner()}, nil
}

// reach opens a place and makes sure that it is the repository that was there
// before. first says that it may be a new one.
func (c *Client) reach(ctx context.Context, at location, first bool) (store.Store, error) {
	s, err := at.open(ctx, c)
	if err != nil {
		return nil, err
	}
	known, err := c.identified(ctx, s, first)
	switch {
	case err != nil:
		return nil, errors.Join(err, s.Close())
	case known:
		return catalogue.Present{Store: s}, nil
	}
	return s, nil
}

// identified compares a repository with what is remembered of its address. It
// tells whether the repository has an identity.
func (c *Client) identified(ctx context.Context, s store.Store, first bool) (known bool, err error) {
	before, file, err := c.remembered(ctx, s.Place())
	if err != nil {
		return false, err
	}
	found, err := catalogue.ReadIdentity(ctx, s)
	if err == nil && found == nil && before == nil && first {
		found, err = catalogue.Identify(ctx, s, c.env.Clock.Now())
	}
	switch {
	case err != nil:
		return false, err
	case before != nil && found == nil:
		return false, catalogue.Gone(s.Place()).WithHint("mount its disk; if a new repository is to begin there, remove %s, which remembers the one from %s", file, before.Since.Format(time.DateOnly))
	case before != nil && before.ID != found.ID:
		return false, fault.New(fault.Conflict, "%s is another repository than the one from %s that was used here before", s.Place(), before.Since.Format(time.DateOnly)).NothingDone().
			WithHint("check which disk is mounted, and `repository` in the settings of backup; if it is the right one, remove %s", file)
	case before == nil && found != nil:
		err = c.remember(ctx, s.Place(), *found)
	}
	return found != nil, err
}

// memory is where the identities of repositories are remembered; nil where
// nothing is.
func (c *Client) memory(place string) (in *localstore.Store, name string, err error) {
	if c.env.State == "" {
		return nil, "", nil
	}
	in, err = localstore.Open(c.env.State)
	// One name may stand for other places: a bucket, at another provider.
	return in, "repositories/" + catalogue.Suffix(place+" "+c.set.S3.Endpoint) + ".json", err
}

// remembrance is a file of memory.
type remembrance struct {
	Repository string `json:"repository"`
	catalogue.Identity
}

func (c *Client) remembered(ctx context.Context, place string) (*catalogue.Identity, string, error) {
	in, name, err := c.memory(place)
	if in == nil || err != nil {
		return nil, "", err
	}
	text, err := in.Open(ctx, name, 0)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer text.Close()
	var r remembrance
	if err := json.NewDecoder(text).Decode(&r); err != nil || r.ID == "" {
		return nil, "", fault.New(fault.Failed, "%s is damaged", in.Path(name)).NothingDone().
			WithHint("it remembers the repository %s; make sure that it is the right one, then remove the file", place)
	}
	return &r.Identity, in.Path(name), nil
}

func (c *Client) remember(ctx context.Context, place string, found catalogue.Identity) error {
	in, name, err := c.memory(place)
	if in == nil || err != nil {
		return err
	}
	text, err := json.MarshalIndent(remembrance{place, found}, "", "  ")
	if err != nil {
		return err
	}
	return in.Put(ctx, name, bytes.NewReader(append(text, '\n')))
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
