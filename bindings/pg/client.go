// Package pg speaks to PostgreSQL servers: read-only questions, statements,
// readiness, row counts, promotion. It must never open a connection other than
// through the environment's network, never repeat a statement by itself, and
// never let a password or a row's content into a message.
package pg

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

// passwordDefault is asked for at the first connection, not at the start of a
// run: a runbook that only mentions pg in one branch needs no password.
const passwordDefault = "env:PGPASSWORD"

// settings is [env.NAME.pg].
type settings struct {
	User           string                    `lua:"user" default:"postgres" doc:"Role to log in as."`
	Password       secret.Value              `lua:"password,optional" doc:"Reference to its password; env:PGPASSWORD when not set."`
	Database       string                    `lua:"database" default:"postgres" doc:"Database of calls that name none."`
	Port           int                       `lua:"port" default:"5432" doc:"Port of hosts that are given without one."`
	SSLMode        string                    `lua:"sslmode" enum:"disable,allow,prefer,require,verify-ca,verify-full" default:"prefer" doc:"How much encryption is asked of the server."`
	ConnectTimeout time.Duration             `lua:"connect_timeout" default:"10s" doc:"How long a server may take to accept a connection."`
	Hosts          map[string]serverSettings `lua:"hosts,optional" doc:"What differs for single hosts, by the name or address that runbooks use."`
}

// serverSettings is [env.NAME.pg.hosts."ADDRESS"].
type serverSettings struct {
	User     string       `lua:"user,optional" doc:"Role to log in as."`
	Password secret.Value `lua:"password,optional" doc:"Reference to its password."`
	Port     int          `lua:"port,optional" doc:"Port the server listens on."`
	SSLMode  string       `lua:"sslmode,optional" enum:"disable,allow,prefer,require,verify-ca,verify-full" doc:"How much encryption is asked of the server."`
}

// Client is what one run knows of its PostgreSQL servers. It holds no
// connection between calls, so a server that is replaced needs no word.
type Client struct {
	env binding.Env
	set settings
}

func open(env binding.Env, set settings) (*Client, error) {
	if set.Port < 1 || set.Port > 65535 {
		return nil, fault.New(fault.Invalid, "port %d in the settings of pg is no port", set.Port)
	}
	return &Client{env: env, set: set}, nil
}

// target is one server as a call names it.
type target struct {
	host, user, database, sslmode string
	port                          int
	password                      secret.Value
}

// target completes host and database from the settings. The password is
// resolved here, at the last moment.
func (c *Client) target(host, database string) (target, error) {
	t := target{host: host, port: c.set.Port, user: c.set.User, database: database, sslmode: c.set.SSLMode, password: c.set.Password}
	if own, ok := c.set.Hosts[host]; ok {
		t.override(own)
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return t, fault.New(fault.Invalid, "%q names no usable port", host)
		}
		t.host, t.port = h, n
		if own, ok := c.set.Hosts[h]; ok {
			own.Port = n
			t.override(own)
		}
	}
	t.host = strings.Trim(t.host, "[]")
	if t.host == "" {
		return t, fault.New(fault.Invalid, "the host is empty")
	}
	if t.database == "" {
		t.database = c.set.Database
	}
	if t.password.Empty() {
		password, err := c.env.Secret(passwordDefault)
		if err != nil {
			return t, err
		}
		t.password = password
	}
	return t, nil
}

func (t *target) override(own serverSettings) {
	if own.User != "" {
		t.user = own.User
	}
	if !own.Password.Empty() {
		t.password = own.Password
	}
	if own.Port != 0 {
		t.port = own.Port
	}
	if own.SSLMode != "" {
		t.sslmode = own.SSLMode
	}
}

// connect opens a connection; within is also the server's own limit for each
// statement, so that a statement ends when its caller has given up on it.
func (c *Client) connect(ctx context.Context, host, database string, within time.Duration) (*pgx.Conn, error) {
	t, err := c.target(host, database)
	if err != nil {
		return nil, err
	}
	conn, err := c.login(ctx, t, within)
	if err == nil {
		return conn, nil
	}
	f := translate(err, fmt.Sprintf("connect to database %s on %s", t.database, host))
	if f.Kind == fault.NotFound && t.database != "postgres" {
		if near := c.databaseLike(ctx, t); near != "" {
			f = f.WithHint("did you mean %q?", near)
		}
	}
	return nil, f.NothingDone()
}

func (c *Client) login(ctx context.Context, t target, within time.Duration) (*pgx.Conn, error) {
	config, err := t.config(within)
	if err != nil {
		return nil, err
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	outer, cancel := context.WithTimeout(ctx, c.set.ConnectTimeout)
	defer cancel()
	var seen attempt
	config.DialFunc = c.dialer(outer, &seen)
	conn, err := pgx.ConnectConfig(outer, config)
	if err != nil && seen.silent.Load() {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return conn, err
}

// config spells every parameter out, so that PG* variables of the operator's
// shell do not decide where a runbook connects.
func (t target) config(within time.Duration) (*pgx.ConnConfig, error) {
	text := fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=%s target_session_attrs=any application_name=drhost passfile=''",
		quoteParameter(t.host), t.port, quoteParameter(t.user), quoteParameter(t.database), t.sslmode)
	config, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the settings of pg for %s cannot be used: %v", t.host, err)
	}
	config.Password = t.password.Reveal()
	config.ConnectTimeout = 0 // the context bounds it
	config.RuntimeParams["datestyle"] = "ISO, MDY"
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["intervalstyle"] = "iso_8601"
	if within > 0 {
		config.RuntimeParams["statement_timeout"] = strconv.FormatInt(max(within.Milliseconds(), 1), 10)
	}
	return config, nil
}

func quoteParameter(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// databaseLike returns the database of the server whose name comes nearest to
// what was asked for, or "".
func (c *Client) databaseLike(ctx context.Context, t target) string {
	wanted := t.database
	t.database = "postgres"
	conn, err := c.login(ctx, t, 5*time.Second)
	if err != nil {
		return ""
	}
	defer closeQuietly(ctx, conn)
	names, err := databaseNames(ctx, conn)
	if err != nil {
		return ""
	}
	return binding.Nearest(wanted, names)
}

// closeQuietly says goodbye to the server; what fails there changes nothing.
func closeQuietly(ctx context.Context, conn *pgx.Conn) {
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
func (c *Client) dialer(outer context.Context, seen *attempt) pgconn.DialFunc {
	limit := c.set.ConnectTimeout
	short := max(time.Duration(float64(limit)/c.env.Clock.Speed()), min(limit, shortestPatience))
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if before := seen.failed.Load(); before != nil {
			return nil, *before
		}
		if seen.silent.Load() {
			return nil, context.DeadlineExceeded
		}
		conn, err := c.env.Net.Dial(ctx, network, address)
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
