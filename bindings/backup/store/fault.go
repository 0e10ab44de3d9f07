package store

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/webhost-systems/drhost/host/fault"
)

// Fault makes a fault of what went wrong at a place. The sentinels of this
// package stay findable by errors.Is; the operation is in lower case.
func Fault(err error, op, place string) error {
	if err == nil {
		return nil
	}
	var f *fault.Fault
	if !errors.As(err, &f) {
		f = classify(err, place)
		f.Cause = err
	}
	if f.Op == "" {
		f.Op = op
	}
	return f
}

// reachable is what to look at when a place does not answer.
const reachable = "is its server up, and may this machine reach it? `repository` in the settings of backup says where it is"

func classify(err error, place string) *fault.Fault {
	var dns *net.DNSError
	var ne net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Cancelled, "stopped before it was done")
	case errors.Is(err, ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.NotFound, "it is not in the repository %s", place)
	case errors.Is(err, ErrExists), errors.Is(err, fs.ErrExist):
		return fault.New(fault.Conflict, "it is in the repository %s already", place)
	case errors.Is(err, ErrFull), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.New(fault.Exhausted, "no space left in the repository %s", place).WithHint("free space, or `drhost backup prune`; no backup was deleted for it")
	case errors.Is(err, ErrDenied), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.New(fault.Denied, "the repository %s may not be written or read", place).WithHint("check its rights and credentials: %s", lastLine(err))
	case errors.Is(err, syscall.ENOTDIR):
		return fault.New(fault.Invalid, "the repository %s is no folder", place).WithHint("check `repository` in the settings of backup")
	case errors.As(err, &dns):
		return fault.New(fault.Unavailable, "%s does not resolve", dns.Name).WithHint("check `repository` in the settings of backup, and DNS")
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault.New(fault.Unavailable, "the repository %s refuses connections", place).WithHint(reachable)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return fault.New(fault.Timeout, "no answer in time from the repository %s", place).WithHint(reachable)
	case errors.As(err, &ne), errors.Is(err, net.ErrClosed):
		return fault.New(fault.Unavailable, "the connection to the repository %s was lost: %s", place, lastLine(err))
	}
	return fault.New(fault.Failed, "the repository %s: %s", place, lastLine(err))
}

func lastLine(err error) string {
	text := strings.TrimSpace(err.Error())
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
