package physical

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/bindings/backup/store/s3store"
	"github.com/webhost-systems/drhost/bindings/backup/store/sftpstore"
	"github.com/webhost-systems/drhost/bindings/backup/store/sftpstore/sftptest"
	"github.com/webhost-systems/drhost/host/secret"
)

// Place is where a test's repository lies, in words that another process
// understands. One of the three is set.
type Place struct {
	Folder   string
	Endpoint string // of S3
	SFTP     string // address of a server that serves Root to who holds Key
	Root     string
	Key      string
}

// places are one of each kind.
func places(t *testing.T) map[string]Place {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	s3 := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(s3.Close)
	files := sftptest.Start(t)
	return map[string]Place{
		"folder": {Folder: filepath.Join(t.TempDir(), "repo")},
		"s3":     {Endpoint: s3.URL},
		"sftp":   {SFTP: files.Addr, Key: files.Key, Root: filepath.Join(t.TempDir(), "repo")},
	}
}

// Open opens the repository.
func (p Place) Open() (store.Store, error) {
	switch {
	case p.Folder != "":
		return localstore.Open(p.Folder)
	case p.Endpoint != "":
		return s3store.Open(s3store.Settings{Endpoint: p.Endpoint, Region: "us-east-1", Bucket: "backups", Prefix: "test", PathStyle: true,
			AccessKey: secret.New("AKIATEST"), SecretKey: secret.New("secret-of-a-test"), Transport: http.DefaultTransport})
	}
	key, err := ssh.ParsePrivateKey([]byte(p.Key))
	if err != nil {
		return nil, err
	}
	// A server of this very test: there is nobody to take its place.
	conn, err := ssh.Dial("tcp", p.SFTP, &ssh.ClientConfig{User: "backup", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		return nil, err
	}
	client, err := sftp.NewClient(conn, sftpstore.Options()...)
	if err != nil {
		return nil, err
	}
	return sftpstore.Open(context.Background(), client, p.Root, "sftp://backup@test"+p.Root, conn.Close), nil
}

// opened is the repository for as long as the test runs.
func (p Place) opened(t *testing.T) store.Store {
	t.Helper()
	s, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
