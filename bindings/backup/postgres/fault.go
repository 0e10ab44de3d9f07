package postgres

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/host/fault"
)

// Fault turns an error of the driver, the network or the file system into a
// fault.
func Fault(err error, op string) *fault.Fault {
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
		return fault.New(fault.Unavailable, "connection refused").WithHint("PostgreSQL is not listening there: check the host and its port; in a runbook pg.wait_ready waits for it")
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err), errors.As(err, &ne) && ne.Timeout():
		return fault.New(fault.Timeout, "no answer in time").WithHint("the machine may be down or hung, or `within` is too short")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.New(fault.Exhausted, "no space left on this machine").WithHint("free space; no backup was deleted for it")
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EROFS):
		return fault.New(fault.Denied, "a file may not be written or read: %s", lastLine(err.Error()))
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
