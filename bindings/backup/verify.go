package backup

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type verifyArgs struct {
	ID     string        `lua:"id" doc:"Backup to verify, from backup.list or backup.newest."`
	Within time.Duration `lua:"within" default:"1h" doc:"How long it may take."`
}

// Verification is what a check found.
type Verification struct {
	ID      string        `lua:"id" doc:"The backup."`
	Depth   string        `lua:"depth" doc:"\"read\": checksums compared, and pg_restore read the archive to its end."`
	Bytes   int64         `lua:"bytes" doc:"How much was read."`
	Elapsed time.Duration `lua:"elapsed" doc:"How long it took."`
}

var verify = binding.Func[*Client, verifyArgs, Verification]{
	Name: "verify", Effect: binding.Reads,
	Doc: "Check a backup without restoring it: every file's checksum, then pg_restore reads the whole archive. A damaged one raises and is " +
		"left out by backup.newest from then on. The finding is noted in the repository; no backup is changed.",
	Raises:  []fault.Kind{fault.NotFound, fault.Failed, fault.Invalid, fault.Timeout},
	Example: `backup.verify { id = "20260228T030000Z-0a1b2c3d" }`,
	Target:  "id",
	Call:    (*Client).verify,
}

func (c *Client) verify(ctx context.Context, a verifyArgs) (Verification, error) {
	start := c.env.Clock.Now()
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	op := "verify the backup " + a.ID
	s, err := c.repo.find(a.ID)
	if err != nil {
		return Verification{}, err
	}
	if err := c.sound(ctx, s); err != nil {
		return Verification{}, because(ctx, err, op)
	}
	with, err := c.tools(ctx, s.ToolMajor)
	if err != nil {
		return Verification{}, err
	}
	// --list would pass an archive that was cut in half: only reading it all tells.
	err = postgres.Child{Program: with.Path("pg_restore"), Args: []string{"--file=-", s.file(dumpName)}, Out: io.Discard}.Run(ctx)
	if err != nil {
		if fault.KindOf(err) == fault.Failed {
			c.condemn(s, "pg_restore cannot read it to its end")
		}
		return Verification{}, because(ctx, err, op)
	}
	c.praise(s, "read")
	return Verification{ID: s.ID, Depth: "read", Bytes: s.bytes(), Elapsed: c.env.Clock.Now().Sub(start).Round(time.Millisecond)}, nil
}

// sound compares every file with its checksum.
func (c *Client) sound(ctx context.Context, s stored) error {
	damaged := func(format string, args ...any) error {
		f := fault.New(fault.Failed, format, args...).NothingDone()
		c.condemn(s, f.Message)
		return f.WithHint("use another one: backup.newest leaves this one out from now on")
	}
	if len(s.Files) == 0 {
		return fault.New(fault.Failed, "%s", s.checks.Reason).NothingDone()
	}
	for _, want := range s.Files {
		got, err := measure(ctx, s.file(want.Name))
		if os.IsNotExist(err) {
			return damaged("%s is missing", want.Name)
		}
		if err != nil {
			return err
		}
		if got.Bytes != want.Bytes {
			return damaged("%s has %d bytes instead of %d", want.Name, got.Bytes, want.Bytes)
		}
		if got.SHA256 != want.SHA256 {
			return damaged("%s does not match its checksum: its bytes have changed since", want.Name)
		}
	}
	return nil
}

// condemn and praise note what was found. The finding itself goes to the
// caller, so a repository that cannot be written takes nothing away from it.
func (c *Client) condemn(s stored, reason string) {
	_ = s.record(checks{VerifiedAt: s.checks.VerifiedAt, Depth: s.checks.Depth, DamagedAt: c.env.Clock.Now().UTC(), Reason: reason})
}

func (c *Client) praise(s stored, depth string) {
	if s.checks.Depth == "restored" {
		depth = "restored" // the deeper check stays on record
	}
	_ = s.record(checks{VerifiedAt: c.env.Clock.Now().UTC(), Depth: depth})
}
