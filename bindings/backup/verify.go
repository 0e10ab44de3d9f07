package backup

import (
	"context"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type verifyArgs struct {
	ID     string        `lua:"id" doc:"Backup to verify, from backup.list or backup.newest."`
	Depth  string        `lua:"depth,optional" enum:"sums,read,restore" doc:"How deep; \"read\" when not given. \"sums\" needs no key. \"restore\" brings it back on a server of this machine that only this user reaches, or into a folder, which is removed afterwards."`
	Within time.Duration `lua:"within" default:"1h" doc:"How long it may take."`
}

// Verification is what a check found.
type Verification struct {
	ID      string        `lua:"id" doc:"The backup."`
	Depth   string        `lua:"depth" doc:"How deep it got. \"sums\": checksums only, as asked or because it is encrypted and there is no key here; that does not make it verified. \"read\": and read to its end. \"restored\": and restored and compared."`
	Bytes   int64         `lua:"bytes" doc:"How much was read."`
	Elapsed time.Duration `lua:"elapsed" doc:"How long it took."`
}

var verify = binding.Func[*Client, verifyArgs, Verification]{
	Name: "verify", Effect: binding.Reads,
	Doc: "Check whether a backup would come back, at one of three depths: every file's checksum; then the archive is read to its end; then it is restored on a server of this machine that is gone " +
		"afterwards, and rows, contents, sequences, constraints and pages are compared. A damaged one raises and is left out by backup.newest from then on. The finding is noted in the repository; no backup is changed.",
	Raises:  []fault.Kind{fault.NotFound, fault.Failed, fault.Invalid, fault.Timeout},
	Example: `backup.verify { id = "20260228T030000Z-0a1b2c3d", depth = "restore" }`,
	Target:  "id",
	Call:    (*Client).verify,
}

func (c *Client) verify(ctx context.Context, a verifyArgs) (Verification, error) {
	start := c.env.Clock.Now()
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	op := "verify the backup " + a.ID
	engine, done, err := c.opened(ctx)
	if err != nil {
		return Verification{}, logical.Because(ctx, err, op)
	}
	defer done()
	b, err := engine.Catalogue.Find(ctx, a.ID)
	if err != nil {
		return Verification{}, err
	}
	depth := a.Depth
	if depth == "restore" {
		depth = catalogue.DepthRestored
	}
	switch {
	case b.Kind == catalogue.Physical:
		if depth == "" {
			depth = catalogue.DepthRead
		}
		err = c.verifyCluster(ctx, engine.Catalogue, b, depth)
	case b.Kind == catalogue.Files:
		depth, err = c.verifyFiles(ctx, engine.Catalogue, b, depth)
	default:
		depth, err = engine.Verify(ctx, b, depth)
	}
	if err != nil {
		return Verification{}, logical.Because(ctx, err, op)
	}
	return Verification{ID: b.ID, Depth: depth, Bytes: b.Bytes(), Elapsed: c.env.Clock.Now().Sub(start).Round(time.Millisecond)}, nil
}
