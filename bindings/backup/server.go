package backup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// server is one PostgreSQL server as a call names it.
type server struct {
	host, user, sslmode string
	port                int
	password            secret.Value
}

func (s server) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// server completes a host from the settings and resolves the password.
func (c *Client) server(host string) (server, error) {
	s := server{host: host, port: c.set.Port, user: c.set.User, sslmode: c.set.SSLMode, password: c.set.Password}
	s.override(c.set.Hosts[host])
	if h, p, err := net.SplitHostPort(host); err == nil {
		s.override(c.set.Hosts[h])
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return s, fault.New(fault.Invalid, "%q names no usable port", host)
		}
		s.host, s.port = h, n
	}
	if s.host = strings.Trim(s.host, "[]"); s.host == "" {
		return s, fault.New(fault.Invalid, "the host is empty")
	}
	if s.password.Empty() {
		password, err := c.env.Secret(passwordDefault)
		if err != nil {
			return s, err
		}
		s.password = password
	}
	return s, nil
}

func (s *server) override(own serverSettings) {
	if own.User != "" {
		s.user = own.User
	}
	if !own.Password.Empty() {
		s.password = own.Password
	}
	if own.Port != 0 {
		s.port = own.Port
	}
	if own.SSLMode != "" {
		s.sslmode = own.SSLMode
	}
}

// parameters is a libpq connection string without password. hostaddr leads to
// a forwarded port while host stays what certificates are checked against.
func (s server) parameters(database, hostaddr string, port int) string {
	text := fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=%s application_name=drhost",
		quoteParameter(s.host), port, quoteParameter(s.user), quoteParameter(database), s.sslmode)
	if hostaddr != "" {
		text += " hostaddr=" + hostaddr
	}
	return text
}

func quoteParameter(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// connect opens a connection. Every fault of it says NotDone.
func (c *Client) connect(ctx context.Context, s server, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(s.parameters(database, "", s.port) + " target_session_attrs=any passfile=''")
	if err != nil {
		return nil, fault.New(fault.Invalid, "the settings of backup for %s cannot be used: %v", s.host, err)
	}
	config.Password = s.password.Reveal()
	config.ConnectTimeout = 0 // the context bounds it
	config.RuntimeParams["datestyle"] = "ISO, MDY"
	config.RuntimeParams["timezone"] = "UTC"
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	outer, cancel := context.WithTimeout(ctx, c.set.ConnectTimeout)
	defer cancel()
	var seen attempt
	config.DialFunc = c.dialer(outer, &seen)
	conn, err := pgx.ConnectConfig(outer, config)
	if err != nil && seen.silent.Load() {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	if err != nil {
		return nil, translate(err, fmt.Sprintf("connect to database %s on %s", database, s.host)).NothingDone()
	}
	return conn, nil
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

// translate turns an error of the driver, the network or the file system into
// a fault.
func translate(err error, op string) *fault.Fault {
	var f *fault.Fault
	if errors.As(err, &f) {
		if f.Op == "" {
			f.Op = op
		}
		return f
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		f = fromServer(pe)
	} else {
		f = fromSystem(err)
	}
	f.Cause = err
	return f.WithOp("%s", op)
}

func fromServer(pe *pgconn.PgError) *fault.Fault {
	kind, hint := fault.Failed, pe.Hint
	passing := false
	switch {
	case pe.Code == "28P01":
		kind, hint = fault.Denied, "the password is wrong: check `password` in the settings of backup, or PGPASSWORD"
	case pe.Code == "42501", strings.HasPrefix(pe.Code, "28"):
		kind, hint = fault.Denied, "use a role that may do this"
	case pe.Code == "3D000":
		kind, hint = fault.NotFound, "pg.databases lists what there is"
	case pe.Code == "55006":
		kind, passing, hint = fault.Conflict, true, "somebody is still connected: pg.terminate_connections, then repeat"
	case strings.HasPrefix(pe.Code, "53"):
		kind, passing = fault.Exhausted, pe.Code != "53100"
	case strings.HasPrefix(pe.Code, "57"), strings.HasPrefix(pe.Code, "08"):
		kind, passing = fault.Unavailable, true
	case strings.HasPrefix(pe.Code, "42"), strings.HasPrefix(pe.Code, "22"):
		kind = fault.Invalid
	}
	f := fault.New(kind, "%s (SQLSTATE %s)", pe.Message, pe.Code)
	f.Hint, f.Transient = hint, passing
	return f
}

func fromSystem(err error) *fault.Fault {
	var dns *net.DNSError
	var ne net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return &fault.Fault{Kind: fault.Cancelled, Message: "stopped before it was done"}
	case errors.As(err, &dns):
		return fault.New(fault.Unavailable, "%s does not resolve", dns.Name).WithHint("check the name and its DNS records")
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault.New(fault.Unavailable, "connection refused").WithHint("PostgreSQL is not listening there; pg.wait_ready waits for it")
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err), errors.As(err, &ne) && ne.Timeout():
		return fault.New(fault.Timeout, "no answer in time").WithHint("the machine may be down or hung, or `within` is too short")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.New(fault.Exhausted, "no space left in the repository").WithHint("free space; no backup was deleted for it")
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EROFS):
		return fault.New(fault.Denied, "the repository may not be written or read").WithHint("check the rights of the folder: %s", lastLine(err.Error()))
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EEXIST):
		return fault.New(fault.Invalid, "the repository is no folder").WithHint("check `repository` in the settings of backup: %s", lastLine(err.Error()))
	case errors.Is(err, syscall.ENOENT):
		return fault.New(fault.NotFound, "%s", lastLine(err.Error()))
	}
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		return fault.New(fault.Unavailable, "the connection failed: %s", lastLine(err.Error()))
	}
	if errors.As(err, &ne) || pgconn.SafeToRetry(err) {
		return fault.New(fault.Unavailable, "the connection was lost: %s", lastLine(err.Error()))
	}
	return fault.New(fault.Failed, "%s", lastLine(err.Error()))
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
