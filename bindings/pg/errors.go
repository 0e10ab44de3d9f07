package pg

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/host/fault"
)

// state is what one SQLSTATE means to an operator. Codes:
// https://www.postgresql.org/docs/current/errcodes-appendix.html
type state struct {
	kind    fault.Kind
	passing bool
	hint    string
}

// stateOf knows the codes that have a way out of their own; classes (the first
// two characters) stand for the rest.
func stateOf(code string) state {
	states := map[string]state{
		"28P01": {fault.Denied, false, "the password is wrong: check `password` in the settings of pg, or PGPASSWORD"},
		"28000": {fault.Denied, false, "the role may not log in from here: check pg_hba.conf of the server and `user` and `sslmode` in the settings of pg"},
		"42501": {fault.Denied, false, "the role lacks the right: use another `user`, or GRANT it"},
		"3D000": {fault.NotFound, false, "pg.databases lists what there is"},
		"42P01": {fault.NotFound, false, "pg.counts lists the tables"},
		"42703": {fault.NotFound, false, ""},
		"42704": {fault.NotFound, false, ""},
		"42883": {fault.NotFound, false, ""},
		"3F000": {fault.NotFound, false, ""},
		"42601": {fault.Invalid, false, ""},
		"25006": {fault.Invalid, false, "pg.query only reads: use pg.execute to change data; a replica refuses both"},
		"23505": {fault.Conflict, false, ""},
		"42P04": {fault.Conflict, false, ""},
		"42P07": {fault.Conflict, false, ""},
		"55006": {fault.Conflict, true, "somebody is still connected: pg.terminate_connections, then repeat"},
		"55P03": {fault.Conflict, true, "another session holds the lock; try again"},
		"40001": {fault.Conflict, true, "a concurrent transaction was in the way; try again"},
		"40P01": {fault.Conflict, true, "two sessions waited for each other and this one gave way; try again"},
		"53100": {fault.Exhausted, false, "the server's disk is full: free space before anything else"},
		"53200": {fault.Exhausted, true, "the server is out of memory"},
		"53300": {fault.Exhausted, true, "all connections are taken: pg.terminate_connections frees them, or raise max_connections"},
		"57014": {fault.Timeout, false, "the statement was cancelled at its limit; raise `within`"},
		"57P01": {fault.Unavailable, true, "the server is being stopped or the session was terminated"},
		"57P02": {fault.Unavailable, true, "the server crashed and restarts"},
		"57P03": {fault.Unavailable, true, "the server is starting up or recovering: pg.wait_ready waits for it"},
		"55000": {fault.Conflict, false, ""},
		"58P01": {fault.Failed, false, "a file of the database is missing: treat this server as damaged"},
		"XX001": {fault.Failed, false, "a page of the database is damaged: treat this server as damaged and restore"},
		"XX002": {fault.Failed, false, "an index is damaged: REINDEX, and check the rest"},
	}
	if s, ok := states[code]; ok {
		return s
	}
	switch code[:min(2, len(code))] {
	case "08":
		return state{fault.Unavailable, true, ""}
	case "22", "23", "42", "0A", "26":
		return state{fault.Invalid, false, ""}
	case "28":
		return state{fault.Denied, false, ""}
	case "40":
		return state{fault.Conflict, true, ""}
	case "53":
		return state{fault.Exhausted, true, ""}
	case "57":
		return state{fault.Unavailable, true, ""}
	}
	return state{fault.Failed, false, ""}
}

// translate turns an error of the driver into a fault. An error of the server
// means that the statement was rolled back; only a lost connection or a
// deadline leaves open what happened.
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
		return fromServer(pe).WithOp("%s", op)
	}
	f = fromNetwork(err).WithOp("%s", op)
	var ce *pgconn.ConnectError
	if errors.As(err, &ce) || pgconn.SafeToRetry(err) {
		f = f.NothingDone()
	}
	return f
}

func fromServer(pe *pgconn.PgError) *fault.Fault {
	s := stateOf(pe.Code)
	f := fault.New(s.kind, "%s (SQLSTATE %s)", pe.Message, pe.Code)
	f.Cause, f.Hint, f.Transient = pe, s.hint, s.passing
	if f.Hint == "" {
		f.Hint = pe.Hint
	}
	// Detail is left out on purpose: it quotes rows.
	f.Sent = fault.NotDone
	severity := pe.SeverityUnlocalized // the other one is in the server's language
	if severity == "" {
		severity = pe.Severity
	}
	if severity == "FATAL" || severity == "PANIC" {
		f.Sent = fault.Unclear // the session ended; it may have been after the commit
	}
	return f
}

func fromNetwork(err error) *fault.Fault {
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return &fault.Fault{Kind: fault.Cancelled, Message: "stopped before the server answered", Cause: err}
	case errors.As(err, &dns):
		f := fault.New(fault.Unavailable, "%s does not resolve", dns.Name).WithHint("check the name and its DNS records").NothingDone()
		f.Cause = err
		return f
	case errors.Is(err, syscall.ECONNREFUSED):
		f := fault.New(fault.Unavailable, "connection refused").WithHint("the machine is up but PostgreSQL is not listening; pg.wait_ready waits for it").NothingDone()
		f.Cause = err
		return f
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err), isTimeout(err):
		f := fault.New(fault.Timeout, "no answer in time").WithHint("the machine may be down or hung; pg.ready tells without raising")
		f.Cause = err
		return f
	case strings.Contains(err.Error(), "server refused TLS"):
		f := fault.New(fault.Invalid, "the server offers no encryption").WithHint("set sslmode in the settings of pg")
		f.Cause = err
		return f
	}
	f := fault.New(fault.Unavailable, "the connection failed: %s", lastLine(err))
	f.Cause = err
	return f
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// lastLine keeps the innermost part of a driver's multi-line message.
func lastLine(err error) string {
	text := strings.TrimSpace(err.Error())
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
