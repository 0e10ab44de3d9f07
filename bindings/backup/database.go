package backup

import (
	"context"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/host/binding"
)

// asked is the restore that a call is about.
func (c *Client) asked(ctx context.Context, a restoreArgs) (logical.Restore, error) {
	srv, err := c.server(a.Host)
	return logical.Restore{ID: a.ID, Server: srv, Host: a.Host, Database: a.Database, Jobs: a.Jobs, Replace: a.Replace, Key: binding.Key(ctx)}, err
}

func (c *Client) restoreDatabase(ctx context.Context, at *catalogue.Catalogue, a restoreArgs) (Restored, error) {
	op := "restore " + a.ID + " on " + a.Host
	engine, err := c.engine(at)
	if err != nil {
		return Restored{}, logical.Because(ctx, err, op).NothingDone()
	}
	r, err := c.asked(ctx, a)
	if err != nil {
		return Restored{}, logical.Because(ctx, err, op).NothingDone()
	}
	if a.Table == "" {
		got, err := engine.Restore(ctx, r)
		return restored(got), err
	}
	got, table, err := engine.RestoreTable(ctx, r, a.Table)
	out := restored(got)
	out.Table = table
	return out, err
}

// opened is an engine on the repository; done closes that.
func (c *Client) opened(ctx context.Context) (engine *logical.Engine, done func(), err error) {
	at, err := c.repository(ctx)
	if err != nil {
		return nil, nil, err
	}
	engine, err = c.engine(at)
	if err != nil {
		at.Store.Close()
		return nil, nil, err
	}
	return engine, func() { at.Store.Close() }, nil
}

func restored(r logical.Restored) Restored {
	return Restored{Database: r.Database, Until: r.Until, Rows: r.Rows, Tables: r.Tables, Kept: r.Kept, Roles: r.Roles, Warnings: r.Warnings}
}

func (c *Client) databaseSettled(ctx context.Context, at *catalogue.Catalogue, a restoreArgs) (binding.Settlement[Restored], error) {
	var none binding.Settlement[Restored]
	engine, err := c.engine(at)
	if err != nil {
		return none, err
	}
	r, err := c.asked(ctx, a)
	if err != nil {
		return none, err
	}
	if a.Table != "" {
		got, table, found, err := engine.SettledTable(ctx, r, a.Table)
		none.Landed = binding.No
		if err == nil && found {
			none.Landed, none.Result = binding.Yes, restored(got)
			none.Result.Table = table
		}
		return none, err
	}
	done, found, begun, err := engine.Settled(ctx, r)
	if err != nil {
		return none, err
	}
	if found {
		return binding.Settlement[Restored]{Landed: binding.Yes, Result: restored(done)}, nil
	}
	none.Landed = binding.No
	if begun != "" {
		none.Look = begun + " was begun and is dropped when the restore is repeated"
		binding.Progress(ctx, "%s", none.Look)
	}
	return none, nil
}

func predictDatabase(out *Restored, b catalogue.Backup, a restoreArgs) {
	out.Database, out.Rows, out.Tables = b.Subject, b.Total(), b.Rows
	if a.Database != "" {
		out.Database = a.Database
	}
	if a.Table != "" {
		out.Rows, out.Tables, out.Table = b.Rows[a.Table], map[string]int64{a.Table: b.Rows[a.Table]}, binding.Planned("name of the restored table")
	} else if a.Replace {
		out.Kept = binding.Planned("name of the replaced database")
	}
}
