package backup

import (
	"context"
	"net/url"
	"strings"

	"github.com/pkg/sftp"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/bindings/backup/store/s3store"
	"github.com/webhost-systems/drhost/bindings/backup/store/sftpstore"
	"github.com/webhost-systems/drhost/bindings/sshlink"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// Defaults of credentials; they are asked for when a repository of that kind is
// opened.
const (
	accessKeyDefault = "env:AWS_ACCESS_KEY_ID"
	secretKeyDefault = "env:AWS_SECRET_ACCESS_KEY"
	sshKeyDefault    = "file:~/.ssh/id_ed25519"
)

// s3Settings is [env.NAME.backup.s3].
type s3Settings struct {
	Endpoint  string       `lua:"endpoint,optional" doc:"Address of the provider: https://s3.eu-central-1.amazonaws.com, https://fsn1.your-objectstorage.com; Amazon's for the region when not set."`
	Region    string       `lua:"region,optional" doc:"Region that requests are signed for; us-east-1 when not set."`
	AccessKey secret.Value `lua:"access_key,optional" doc:"Reference to the access key; env:AWS_ACCESS_KEY_ID when not set."`
	SecretKey secret.Value `lua:"secret_key,optional" doc:"Reference to the secret key; env:AWS_SECRET_ACCESS_KEY when not set."`
	PartSize  int          `lua:"part_size,optional" doc:"MiB of one part of an upload; 16 when not set, which serves up to 160 GB."`
	PathStyle bool         `lua:"path_style,optional" doc:"Whether the bucket stands in the path instead of the host name."`
}

// sftpSettings is [env.NAME.backup.sftp].
type sftpSettings struct {
	Key        secret.Value `lua:"key,optional" doc:"Reference to the private key, without passphrase; file:~/.ssh/id_ed25519 when not set."`
	KnownHosts string       `lua:"known_hosts,optional" doc:"File of the host keys that are trusted; ~/.ssh/known_hosts when not set."`
}

// location is where a repository lies.
type location interface {
	open(ctx context.Context, c *Client) (store.Store, error)
}

// location reads the setting, without touching anything.
func (c *Client) location() (location, error) {
	text := c.set.Repository
	scheme, _, isURL := strings.Cut(text, "://")
	if !isURL {
		dir, err := c.absolute(text)
		return folder(dir), err
	}
	bad := func(form string) error {
		return fault.New(fault.Invalid, "`repository` in the settings of backup reads like %s", form)
	}
	at, err := url.Parse(text)
	if err != nil {
		return nil, bad("s3://BUCKET/PREFIX, sftp://USER@HOST/PATH or a folder")
	}
	_, hasPassword := at.User.Password()
	switch {
	case hasPassword:
		return nil, fault.New(fault.Invalid, "`repository` in the settings of backup holds a password").WithHint("`sftp.key` and `s3.secret_key` refer to credentials")
	case scheme == "s3" && at.Host != "" && at.User == nil && at.RawQuery == "":
		return bucket{at.Host, strings.Trim(at.Path, "/")}, nil
	case scheme == "sftp" && at.Host != "" && at.User.Username() != "" && len(at.Path) > 1 && at.RawQuery == "":
		return server{at}, nil
	case scheme == "s3":
		return nil, bad("s3://BUCKET/PREFIX")
	case scheme == "sftp":
		return nil, bad("sftp://USER@HOST[:PORT]/PATH; /~/PATH is one below the home directory")
	}
	return nil, bad("s3://BUCKET/PREFIX, sftp://USER@HOST/PATH or a folder")
}

// folder is a repository on this machine.
type folder string

func (f folder) open(context.Context, *Client) (store.Store, error) {
	return localstore.Open(string(f))
}

// bucket is a repository in S3.
type bucket struct{ name, prefix string }

func (b bucket) open(_ context.Context, c *Client) (store.Store, error) {
	set := s3store.Settings{Endpoint: c.set.S3.Endpoint, Region: c.set.S3.Region, Bucket: b.name, Prefix: b.prefix, PathStyle: c.set.S3.PathStyle, PartSize: c.set.S3.PartSize << 20,
		AccessKey: c.set.S3.AccessKey, SecretKey: c.set.S3.SecretKey, Transport: c.env.Net.Transport(), Connect: c.set.ConnectTimeout}
	if n := c.set.S3.PartSize; n != 0 && (n < 5 || n > 1024) {
		return nil, fault.New(fault.Invalid, "`part_size` in the settings of backup.s3 is %d; 5 to 1024 are possible", n)
	}
	if set.Region == "" {
		set.Region = "us-east-1"
	}
	if set.Endpoint == "" {
		set.Endpoint = "https://s3." + set.Region + ".amazonaws.com"
	}
	var err error
	if set.AccessKey, err = c.credential(set.AccessKey, accessKeyDefault); err != nil {
		return nil, err
	}
	if set.SecretKey, err = c.credential(set.SecretKey, secretKeyDefault); err != nil {
		return nil, err
	}
	return s3store.Open(set)
}

// credential is the one that is set, or the usual one.
func (c *Client) credential(set secret.Value, usual string) (secret.Value, error) {
	if !set.Empty() {
		return set, nil
	}
	return c.env.Secret(usual)
}

// server is a repository behind SFTP.
type server struct{ at *url.URL }

func (s server) open(ctx context.Context, c *Client) (store.Store, error) {
	op := "reach the repository " + s.at.Redacted()
	to, err := sshlink.ParseAddress(s.at.Host, s.at.User.Username(), "", 22)
	if err != nil {
		return nil, err
	}
	key, err := c.credential(c.set.SFTP.Key, sshKeyDefault)
	if err != nil {
		return nil, err
	}
	signer, err := sshlink.ParseKey(key, "backup.sftp")
	if err != nil {
		return nil, err
	}
	known := c.set.SFTP.KnownHosts
	if known == "" {
		known = "~/.ssh/known_hosts"
	}
	if known, err = c.absolute(known); err != nil {
		return nil, err
	}
	link := sshlink.Link{Net: c.env.Net, Clock: c.env.Clock, KnownHosts: known, ConnectTimeout: c.set.ConnectTimeout}
	conn, err := link.Login(ctx, to, signer)
	if err != nil {
		return nil, fault.As(store.Fault(err, op, s.at.Redacted())).NothingDone()
	}
	client, err := sftp.NewClient(conn, sftpstore.Options()...)
	if err != nil {
		conn.Close()
		return nil, fault.As(store.Fault(err, op, s.at.Redacted())).NothingDone()
	}
	root := s.at.Path
	if below, ok := strings.CutPrefix(root, "/~/"); ok {
		root = below
	}
	return sftpstore.Open(ctx, client, root, s.at.Redacted(), conn.Close), nil
}
