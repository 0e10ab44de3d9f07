package physical

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Names of the artifacts of a base backup, without the layers' endings.
const (
	BaseName     = "base.tar"
	ManifestName = "backup_manifest" // PostgreSQL's own, for pg_verifybackup
)

// Base is what a base backup is of and where it lies in the log. It holds the
// log from Start to Stop and can be restored by itself.
type Base struct {
	System      string       `json:"system"` // the cluster's identifier
	Timeline    uint32       `json:"timeline"`
	Start       postgres.LSN `json:"start"`
	Stop        postgres.LSN `json:"stop"`
	SegmentSize int64        `json:"segment_size"`
	Databases   []string     `json:"databases"`
	Version     string       `json:"version"`
	Major       int          `json:"major"`
	PlainBytes  int64        `json:"plain_bytes"` // as the server estimated it
	Until       time.Time    `json:"until"`       // every transaction that had committed by then is in
	Exact       time.Time    `json:"exact"`       // no transaction that committed later is in
}

// Source is a server whose cluster is copied.
type Source struct {
	Way    postgres.Way
	Server postgres.Server
	Clock  clock.Clock
}

// copying is one base backup under way.
type copying struct {
	src      Source
	base     Base
	conn     *pgconn.PgConn // speaks the replication protocol
	manifest *os.File       // PostgreSQL's, until it is stored
	seen     samples
	done     int64 // bytes of the data folder that the server has read
	began    time.Time
}

// Take copies a cluster into folder. The server compresses by itself where it
// can, else this machine does. Nothing is kept in memory or on this machine's
// disk but PostgreSQL's list of the files.
func Take(ctx context.Context, src Source, to store.Store, folder, label string, seal artifact.Seal) (Base, []artifact.Record, error) {
	c := &copying{src: src}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := c.describe(ctx); err != nil {
		return Base{}, nil, err
	}
	conn, err := src.Way.Replicate(ctx, src.Server)
	if err != nil {
		return Base{}, nil, err
	}
	c.conn = conn
	defer closeQuietly(ctx, conn)
	if c.manifest, err = os.CreateTemp("", "drhost-base-"); err != nil {
		return Base{}, nil, err
	}
	defer os.Remove(c.manifest.Name())
	defer c.manifest.Close()
	var watching sync.WaitGroup
	watching.Go(func() { c.watch(ctx) })
	defer watching.Wait()
	defer cancel()
	c.began = src.Clock.Now()
	packed, err := c.begin(ctx, label)
	if err != nil {
		return Base{}, nil, err
	}
	sealed := seal
	sealed.Packed = packed
	tar, err := artifact.Write(ctx, to, folder, BaseName, sealed, func(w io.Writer) error { return c.copy(ctx, w) })
	if err != nil {
		return Base{}, nil, err
	}
	if err := c.finish(ctx); err != nil {
		return Base{}, nil, err
	}
	if tar.PlainBytes > 0 {
		c.base.PlainBytes = tar.PlainBytes
	}
	list, err := artifact.Write(ctx, to, folder, ManifestName, seal, func(w io.Writer) error {
		if _, err := c.manifest.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := io.Copy(w, c.manifest)
		return err
	})
	if err != nil {
		return Base{}, nil, err
	}
	return c.base, []artifact.Record{tar, list}, nil
}

// describe asks what there is, and refuses what cannot be copied.
func (c *copying) describe(ctx context.Context) error {
	conn, err := c.src.Way.Connect(ctx, c.src.Server, "postgres")
	if err != nil {
		return err
	}
	defer postgres.CloseQuietly(ctx, conn)
	var outside []string
	if err := c.sample(ctx, conn); err != nil {
		return err
	}
	err = conn.QueryRow(ctx, `select system_identifier::text, current_setting('server_version'), current_setting('server_version_num')::int / 10000,
		pg_size_bytes(current_setting('wal_segment_size')),
		(select coalesce(array_agg(datname::text order by datname), '{}') from pg_database where datallowconn and not datistemplate),
		(select coalesce(array_agg(spcname::text order by spcname), '{}') from pg_tablespace where spcname not in ('pg_default', 'pg_global'))
		from pg_control_system()`).Scan(&c.base.System, &c.base.Version, &c.base.Major, &c.base.SegmentSize, &c.base.Databases, &outside)
	if err != nil {
		return err
	}
	if c.base.Major < 15 {
		return fault.New(fault.Invalid, "%s runs PostgreSQL %s; a copy of a whole cluster needs 15 or newer", c.src.Server.Host, c.base.Version).
			WithHint("back its databases up with backup.create")
	}
	if len(outside) > 0 {
		return fault.New(fault.Conflict, "the cluster keeps data outside its folder, in the tablespaces %s: a copy of the cluster would not hold it", strings.Join(outside, ", ")).
			WithHint("move it into the data folder with ALTER TABLE ... SET TABLESPACE pg_default, or back the databases up with backup.create")
	}
	return nil
}

// begin has the server start. Packed tells that it compresses by itself.
func (c *copying) begin(ctx context.Context, label string) (packed bool, err error) {
	const form = "BASE_BACKUP (LABEL %s, PROGRESS, CHECKPOINT 'fast', WAL, WAIT false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C'%s)"
	// Two workers: a server in need has other things to do, too. Level 1: of a
	// cluster, 3 takes half as long again, or twice, and saves nothing.
	for _, way := range []string{", COMPRESSION 'zstd', COMPRESSION_DETAIL 'level=1,workers=2'", ", COMPRESSION 'zstd', COMPRESSION_DETAIL 'level=1'", ""} {
		c.conn.Frontend().SendQuery(&pgproto3.Query{String: fmt.Sprintf(form, literal("drhost "+label), way)})
		if err := c.conn.Frontend().Flush(); err != nil {
			return false, err
		}
		err = c.header(ctx)
		if err == nil {
			return way != "", nil
		}
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || way == "" || !strings.Contains(pe.Message, "compress") {
			return false, err
		}
		if err := c.ready(ctx); err != nil {
			return false, err
		}
	}
	return false, err
}

// header reads the two tables that come first: where the log stands, and the
// tablespaces with their sizes in KiB.
func (c *copying) header(ctx context.Context) error {
	at, timeline, err := c.place(ctx)
	if err != nil {
		return err
	}
	c.base.Start, c.base.Timeline = at, timeline
	for {
		msg, err := c.conn.ReceiveMessage(ctx)
		if err != nil {
			return err
		}
		switch m := msg.(type) {
		case *pgproto3.DataRow:
			if len(m.Values) > 2 {
				kib, _ := strconv.ParseInt(string(m.Values[2]), 10, 64)
				c.base.PlainBytes += kib << 10
			}
		case *pgproto3.CopyOutResponse:
			return nil
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		}
	}
}

// place reads a table of one row: a place in the log and its timeline.
func (c *copying) place(ctx context.Context) (at postgres.LSN, timeline uint32, err error) {
	for {
		msg, err := c.conn.ReceiveMessage(ctx)
		if err != nil {
			return 0, 0, err
		}
		switch m := msg.(type) {
		case *pgproto3.DataRow:
			if len(m.Values) != 2 {
				return 0, 0, fault.New(fault.Failed, "the server's answer to BASE_BACKUP has %d columns", len(m.Values))
			}
			if at, err = postgres.ParseLSN(string(m.Values[0])); err != nil {
				return 0, 0, err
			}
			n, err := strconv.ParseUint(string(m.Values[1]), 10, 32)
			if err != nil {
				return 0, 0, err
			}
			timeline = uint32(n)
		case *pgproto3.CommandComplete:
			return at, timeline, nil
		case *pgproto3.ErrorResponse:
			return 0, 0, pgconn.ErrorResponseToPgError(m)
		}
	}
}

// copy writes the archive's bytes to w. What the server calls the manifest goes
// into a file. Kinds of messages: protocol-replication.html, BASE_BACKUP.
func (c *copying) copy(ctx context.Context, w io.Writer) error {
	archives, to := 0, w
	for {
		msg, err := c.conn.ReceiveMessage(ctx)
		if err != nil {
			return err
		}
		switch m := msg.(type) {
		case *pgproto3.CopyData:
			if len(m.Data) == 0 {
				return fault.New(fault.Failed, "the server sent an empty message in a base backup")
			}
			switch kind, rest := m.Data[0], m.Data[1:]; kind {
			case 'n':
				if archives++; archives > 1 {
					return fault.New(fault.Conflict, "a tablespace was made while the cluster was being copied").WithHint("repeat it")
				}
			case 'm':
				to = c.manifest
			case 'd':
				if _, err := to.Write(rest); err != nil {
					return err
				}
			case 'p':
				if len(rest) == 8 {
					c.progress(ctx, int64(binary.BigEndian.Uint64(rest)))
				}
			}
		case *pgproto3.CopyDone:
			return nil
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		}
	}
}

func (c *copying) progress(ctx context.Context, done int64) {
	if done < c.done+(64<<20) && done < c.base.PlainBytes {
		return
	}
	c.done = done
	binding.Progress(ctx, "%s", artifact.Rate("copying the cluster", done, c.base.PlainBytes, c.src.Clock.Now().Sub(c.began)))
}

// finish reads where the log stood at the end.
func (c *copying) finish(ctx context.Context) error {
	at, timeline, err := c.place(ctx)
	if err != nil {
		return err
	}
	if at < c.base.Start || timeline != c.base.Timeline {
		return fault.New(fault.Conflict, "the server was promoted while its cluster was being copied").WithHint("repeat it")
	}
	c.base.Stop = at
	if err := c.ready(ctx); err != nil {
		return err
	}
	conn, err := c.src.Way.Connect(ctx, c.src.Server, "postgres")
	if err != nil {
		return err
	}
	defer postgres.CloseQuietly(ctx, conn)
	var ok bool
	if c.base.Until, ok = c.seen.before(at); !ok {
		return fault.New(fault.Failed, "the server never told where its log stood")
	}
	return conn.QueryRow(ctx, "select clock_timestamp()").Scan(&c.base.Exact)
}

// ready reads on until the server takes the next command.
func (c *copying) ready(ctx context.Context) error {
	for {
		msg, err := c.conn.ReceiveMessage(ctx)
		if err != nil {
			return err
		}
		switch m := msg.(type) {
		case *pgproto3.ReadyForQuery:
			return nil
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		}
	}
}

// watch samples the server's log once a second until ctx ends. When it cannot,
// the samples taken so far count: the backup then claims less than it holds.
func (c *copying) watch(ctx context.Context) {
	conn, err := c.src.Way.Connect(ctx, c.src.Server, "postgres")
	if err != nil {
		return
	}
	defer postgres.CloseQuietly(ctx, conn)
	for c.sample(ctx, conn) == nil && c.src.Clock.Sleep(ctx, time.Second) == nil {
	}
}

// sample asks for the time first: whatever a client was told of by then lies
// before the place that is asked for after it.
func (c *copying) sample(ctx context.Context, conn *pgx.Conn) error {
	var at string
	var one sample
	err := conn.QueryRow(ctx, `select clock_timestamp(), (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end)::text`).Scan(&one.when, &at)
	if err != nil {
		return err
	}
	if one.at, err = postgres.ParseLSN(at); err != nil {
		return err
	}
	one.when = one.when.UTC()
	c.seen.add(one)
	return nil
}
