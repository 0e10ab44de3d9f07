package ssh

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/host/fault"
)

// translate turns an error of the network, of SSH or of SFTP into a fault.
func translate(err error, op string) *fault.Fault {
	var f *fault.Fault
	if errors.As(err, &f) {
		if f.Op == "" {
			f.Op = op
		}
		return f
	}
	f = classify(err).WithOp("%s", op)
	f.Cause = err
	return f
}

func classify(err error) *fault.Fault {
	var dns *net.DNSError
	var status *sftp.StatusError
	switch {
	case errors.Is(err, context.Canceled):
		return &fault.Fault{Kind: fault.Cancelled, Message: "stopped before it was done"}
	case errors.As(err, &dns):
		return fault.New(fault.Unavailable, "%s does not resolve", dns.Name).WithHint("check the name and its DNS records").NothingDone()
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault.New(fault.Unavailable, "connection refused").
			WithHint("the machine is up but no SSH server is listening; ssh.wait_ready waits for it").NothingDone()
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return fault.New(fault.Timeout, "no answer in time").WithHint("the machine may be down or hung; ssh.ready tells without raising")
	case errors.Is(err, os.ErrNotExist):
		return fault.New(fault.NotFound, "no such file or folder%s", pathOf(err))
	case errors.Is(err, os.ErrPermission):
		return fault.New(fault.Denied, "permission denied%s", pathOf(err)).WithHint("log in as another user, or change the rights")
	case errors.Is(err, syscall.ENOSPC):
		return fault.New(fault.Exhausted, "no space left on this machine%s", pathOf(err))
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, os.ErrExist):
		return fault.New(fault.Conflict, "%s", lastPart(err))
	case errors.As(err, &status):
		return fault.New(fault.Failed, "the server says: %s", status.Error()).WithHint("its disk may be full or the path not writable")
	case strings.Contains(err.Error(), "unable to authenticate"):
		return fault.New(fault.Denied, "the server does not accept the key").
			WithHint("put the public key into authorized_keys there, or check `user` and `key` in the settings of ssh")
	case strings.Contains(err.Error(), "no common algorithm"):
		return fault.New(fault.Invalid, "client and server share no algorithm")
	}
	var missing *ssh.ExitMissingError
	if errors.As(err, &missing) {
		return fault.New(fault.Unavailable, "the connection ended before the command did")
	}
	return fault.New(fault.Unavailable, "the connection failed: %s", lastPart(err))
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func pathOf(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return ": " + pe.Path
	}
	return ""
}

// lastPart keeps one line of a message.
func lastPart(err error) string {
	text := strings.TrimSpace(err.Error())
	return text[strings.LastIndexByte(text, '\n')+1:]
}
