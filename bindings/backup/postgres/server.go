// Package postgres is what the kinds of backup share about PostgreSQL: its
// programs, whose version is found before anything starts, the servers, and the
// ways to them. It must never put a password on a command line, never dial other
// than through the environment's network, and never leave a program running.
package postgres

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// Server is one PostgreSQL server and who logs in there.
type Server struct {
	Host, User, SSLMode string
	Port                int
	Password            secret.Value
}

// Address is host:port.
func (s Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Parameters is a libpq connection string without password. hostaddr leads to
// a forwarded port while host stays what certificates are checked against.
func (s Server) Parameters(database, hostaddr string, port int) string {
	text := fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=%s application_name=drhost",
		quoteParameter(s.Host), port, quoteParameter(s.User), quoteParameter(database), s.SSLMode)
	if hostaddr != "" && !strings.HasPrefix(s.Host, "/") { // a socket has no address
		text += " hostaddr=" + hostaddr
	}
	return text
}

func quoteParameter(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// Way is how servers are reached.
type Way struct {
	Net            binding.Network
	Clock          clock.Clock
	ConnectTimeout time.Duration
}

// Connect opens a connection to a database. Every fault of it says NotDone.
func (w Way) Connect(ctx context.Context, s Server, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(s.Parameters(database, "", s.Port) + " target_session_attrs=any passfile=''")
	if err != nil {
		return nil, unusable(s, err)
	}
	config.RuntimeParams["datestyle"] = "ISO, MDY"
	config.RuntimeParams["timezone"] = "UTC"
	var conn *pgx.Conn
	err = w.connect(ctx, s, "database "+database, &config.Config, func(ctx context.Context) (err error) {
		conn, err = pgx.ConnectConfig(ctx, config)
		return err
	})
	return conn, err
}

// Replicate opens a connection that speaks the replication protocol. Every
// fault of it says NotDone.
func (w Way) Replicate(ctx context.Context, s Server) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig(s.Parameters("replication", "", s.Port) + " replication=true target_session_attrs=any passfile=''")
	if err != nil {
		return nil, unusable(s, err)
	}
	var conn *pgconn.PgConn
	err = w.connect(ctx, s, "the replication of the server", config, func(ctx context.Context) (err error) {
		conn, err = pgconn.ConnectConfig(ctx, config)
		return err
	})
	return conn, err
}

func unusable(s Server, err error) error {
	return fault.New(fault.Invalid, "the settings of backup for %s cannot be used: %v", s.Host, err)
}

func (w Way) connect(ctx context.Context, s Server, what string, config *pgconn.Config, connect func(context.Context) error) error {
	config.Password = s.Password.Reveal()
	config.ConnectTimeout = 0 // the context bounds it
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	outer, cancel := context.WithTimeout(ctx, w.ConnectTimeout)
	defer cancel()
	var seen attempt
	config.DialFunc = w.dialer(outer, &seen)
	err := connect(outer)
	if err != nil && seen.silent.Load() {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	if err != nil {
		f := Fault(err, fmt.Sprintf("connect to %s on %s", what, s.Address())).NothingDone()
		if f.Kind == fault.Timeout && ctx.Err() == nil {
			f.Message = fmt.Sprintf("no answer within %s", w.ConnectTimeout)
			f.Hint = "the machine is down, or a firewall drops what is sent there; `connect_timeout` in the settings of backup is how long it may take"
		}
		return f
	}
	return nil
}

// CloseQuietly says goodbye to the server; what fails there changes nothing.
func CloseQuietly(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// shortestPatience is what a handshake gets at any speed: it is work that is
// really done.
const shortestPatience = time.Second

// attempt is what one try of reaching a server met. The driver dials a second
// time when sslmode allows it: an address that did not answer is not asked twice.
type attempt struct {
	silent atomic.Bool           // it accepted the connection and said nothing
	failed atomic.Pointer[error] // why dialling failed
}

// dialer dials through the environment's network and gives the server the
// connect timeout for its handshake. Waiting for one that accepts and then says
// nothing is a pure wait, so a scaled clock shortens it; what was cut goes to
// the meter, and seen tells that it happened. Dialling is not shortened here:
// the network does that. The handshake is over when outer ends.
func (w Way) dialer(outer context.Context, seen *attempt) pgconn.DialFunc {
	limit := w.ConnectTimeout
	short := max(time.Duration(float64(limit)/w.Clock.Speed()), min(limit, shortestPatience))
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if before := seen.failed.Load(); before != nil {
			return nil, *before
		}
		if seen.silent.Load() {
			return nil, context.DeadlineExceeded
		}
		conn, err := w.Net.Dial(ctx, network, address)
		if err != nil {
			seen.failed.Store(&err)
			return nil, err
		}
		inner, cancel := context.WithTimeout(outer, short)
		context.AfterFunc(inner, func() {
			defer cancel()
			if inner.Err() == context.DeadlineExceeded && outer.Err() == nil {
				seen.silent.Store(true)
				clock.Cut(outer, limit-short)
				conn.Close()
			}
		})
		return conn, nil
	}
}
