package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gliderlabs/ssh"
	"github.com/pkg/sftp"
	gossh "golang.org/x/crypto/ssh"
)

// newSSHServer makes the SSH server of one life. Logins need a key of
// /root/.ssh/authorized_keys, whatever the user's name; forwarding, agents and
// terminals are refused.
func newSSHServer(g *guest) (*ssh.Server, error) {
	key, err := g.m.disk.read(hostKeyFile)
	if err != nil {
		return nil, err
	}
	signer, err := gossh.ParsePrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("read the host key: %w", err)
	}
	server := &ssh.Server{
		Version:          "OpenSSH_9.2p1",
		PublicKeyHandler: func(_ ssh.Context, k ssh.PublicKey) bool { return g.authorized(k) },
		Handler:          g.session,
		PtyCallback:      func(ssh.Context, ssh.Pty) bool { return false },
		SubsystemHandlers: map[string]ssh.SubsystemHandler{
			"sftp": g.sftp,
		},
	}
	server.AddHostKey(signer)
	return server, nil
}

func (g *guest) authorized(key ssh.PublicKey) bool {
	rest, err := g.m.disk.read("/root/.ssh/authorized_keys")
	if err != nil {
		return false
	}
	for _, line := range bytes.Split(rest, []byte("\n")) {
		known, _, _, _, err := gossh.ParseAuthorizedKey(line)
		if err == nil && ssh.KeysEqual(known, key) {
			return true
		}
	}
	return false
}

// session runs one command; without a command standard input is the script.
func (g *guest) session(s ssh.Session) {
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	defer context.AfterFunc(g.work, cancel)()
	command := s.RawCommand()
	stdin := io.Reader(s)
	if command == "" {
		script, err := io.ReadAll(io.LimitReader(s, 1<<20))
		if err != nil {
			return
		}
		command, stdin = string(script), nil
	}
	ran, out, ended := Command{Time: g.m.rack.opt.Clock.Now().UTC(), Server: g.m.spec.Name, User: s.User(), Text: command}, &head64{to: s}, func(Command) {}
	if g.m.rack.opt.Runs != nil {
		ended = g.m.rack.opt.Runs(ran)
	}
	ran.Exit = g.shell(ctx, command, session{user: s.User(), stdin: stdin, stdout: out, stderr: s.Stderr()})
	ran.Ended, ran.Cut, ran.Stdout = true, ctx.Err() != nil, out.kept.String()
	ended(ran)           // before the answer: who has it may look at once
	_ = s.Exit(ran.Exit) // the client may be gone
}

// head64 passes on what is written and keeps the first 64 KiB of it.
type head64 struct {
	to   io.Writer
	kept bytes.Buffer
}

func (h *head64) Write(p []byte) (int, error) {
	h.kept.Write(p[:min(len(p), 64<<10-h.kept.Len())])
	return h.to.Write(p)
}

func (g *guest) sftp(s ssh.Session) {
	files := sftpFiles{g.m.disk}
	server := sftp.NewRequestServer(s, sftp.Handlers{FileGet: files, FilePut: files, FileCmd: files, FileList: files},
		sftp.WithStartDirectory("/root"))
	if err := server.Serve(); err != nil && !errors.Is(err, io.EOF) && g.work.Err() == nil {
		g.m.log.add("sshd", "sftp: %v", err)
	}
	server.Close()
}
